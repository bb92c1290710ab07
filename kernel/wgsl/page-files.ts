/** The page that runs an export's own vectors. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { javascriptOf } from './launch-file.js';

/** JavaScript of check.mjs. */
export async function checkText(root: string, header: string): Promise<string> {
  const source = await readFile(join(root, 'kernel/wgsl/page/check.ts'), 'utf8');
  return `${header}\n${javascriptOf(source)}`;
}

/** check.html: open it from a web server on this machine. */
export function checkPage(title: string, create: string): string {
  return `<!doctype html>
<meta charset="utf-8">
<title>${title}: vectors</title>
<h1>${title}</h1>
<p id="state">running</p>
<pre id="lines"></pre>
<script type="module">
  import { ${create} } from './launch.mjs';
  import { check } from './check.mjs';

  const state = document.getElementById('state');
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter) throw new Error('this browser offers no WebGPU adapter');
    const requiredFeatures = ['shader-f16', 'subgroups'].filter((f) => adapter.features.has(f));
    const device = await adapter.requestDevice({ requiredFeatures });
    const vectors = await (await fetch('./vectors.json')).json();
    const results = await check(device, ${create}, vectors);
    document.getElementById('lines').textContent = results
      .map((r) => (r.skipped ? \`skipped \${r.vector}: \${r.skipped}\` : \`\${r.ok ? 'ok ' : 'BAD'} \${r.vector} \${r.tensor}: \${r.error.toExponential(2)} of \${r.allowed.toExponential(2)} allowed\`))
      .join('\\n');
    globalThis.results = results;
    state.textContent = results.every((r) => r.ok) ? 'passed' : 'FAILED';
  } catch (error) {
    state.textContent = String(error);
  }
</script>
`;
}
