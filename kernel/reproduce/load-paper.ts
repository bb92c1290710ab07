/** A paper by its slug, or from a file of one's own that exports `paper`. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkClaim, listPapers, paperOf, type Paper } from '../../lib/papers/index.js';
import { ArgumentError } from '../../lib/core/errors.js';

/** Is this a path rather than a slug? */
export function isPath(name: string): boolean {
  return /[/\\]|\.(m?[jt]s)$/.test(name);
}

/** @throws ArgumentError when there is no such paper, or the file does not export a sound one */
export async function loadPaper(name: string, root: string): Promise<Paper> {
  if (!isPath(name)) {
    const known = listPapers();
    if (known.some((paper) => paper.id === name)) return paperOf(name);
    const slugs = known.map((paper) => paper.id).join(', ');
    throw new ArgumentError(`reproduce: paper must be one of ${slugs} or the path of a file, got "${name}"`);
  }
  const file = resolve(name);
  if (!existsSync(file)) throw new ArgumentError(`reproduce: ${file} must be a file, got none`);
  const runnable = extname(file).endsWith('ts') ? await transpile(file, root) : file;
  const module = (await import(pathToFileURL(runnable).href)) as { paper?: Paper; default?: Paper };
  const paper = module.paper ?? module.default;
  if (!paper || !Array.isArray(paper.experiments) || typeof paper.claims?.flatMap !== 'function')
    throw new ArgumentError(
      `reproduce: ${file} must export a paper (const paper: Paper), got ${Object.keys(module).join(', ') || 'nothing'}`,
    );
  const problems = paper.claims.flatMap((claim) => checkClaim(claim));
  if (problems.length > 0)
    throw new ArgumentError(`reproduce: claims of ${file} must be sound, got: ${problems.join('; ')}`);
  return paper;
}

/** Hash of a paper's own code when it comes from a file, with all it imports but packages; undefined for a slug. */
export async function codeOfFile(name: string, root: string): Promise<string | undefined> {
  return isPath(name) ? sha256(await bundled(resolve(name), root)) : undefined;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

async function bundled(file: string, root: string): Promise<string> {
  const require = createRequire(join(root, 'package.json'));
  const { build } = require('esbuild') as typeof import('esbuild');
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'silent',
    absWorkingDir: dirname(file),
  });
  return outputFiles[0].text;
}

/** One bundled module inside the project, so that `import ... from 'assay'` finds the library that is running. */
async function transpile(file: string, root: string): Promise<string> {
  const text = await bundled(file, root);
  const name = `${basename(file).replace(/\W+/g, '-')}.${sha256(text).slice(0, 12)}.mjs`;
  const out = join(root, '.assay', 'papers', name);
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, text);
  return out;
}
