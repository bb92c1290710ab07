// What lets the Jupyter kernel's compiler start fast (see kernel/types/typescript.mjs), in dist/compiler: the type
// eraser bound to the one compiler that is loaded, and V8's code cache of that compiler.
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Bundles ts-blank-space: an import of its own `typescript` would cost every start of a kernel half a second. */
export async function buildEraser(root) {
  const { build } = await import('esbuild');
  await build({
    absWorkingDir: root,
    stdin: { contents: "export { blankSourceFile } from 'ts-blank-space';", resolveDir: root },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    alias: { typescript: '#typescript' },
    external: ['#typescript'],
    outfile: join(root, 'dist', 'compiler', 'ts-blank-space.mjs'),
    logLevel: 'silent',
  });
}

/** Makes the code cache in a process of its own. Without one the kernel only starts more slowly. */
export function buildCodeCache(root) {
  const run = spawnSync(process.execPath, [fileURLToPath(import.meta.url), root], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`build: the compiler's code cache must be made, got\n${run.stderr}`);
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  const root = process.argv[2];
  const { cacheFile, codeCache } = await import(
    pathToFileURL(join(root, 'kernel', 'types', 'typescript.mjs')).href
  );
  const { TypesThread } = await import(
    pathToFileURL(join(root, 'dist', 'kernel', 'types', 'types-thread.js')).href
  );
  // What was compiled by then is in the cache: the ways that a session's first cells take.
  const thread = new TypesThread({ root, folder: root, globals: [] });
  thread.handle({ type: 'prepare', code: 'const a: number = 1;\na + 1', count: 1, check: true });
  thread.handle({ type: 'prepare', code: "import * as assay from 'assay';\nassay", count: 2, check: true });
  thread.handle({ type: 'complete', code: 'Math.', cursor: 5 });
  thread.handle({ type: 'inspect', code: 'parseInt(', cursor: 9, detail: 0 });
  mkdirSync(join(root, 'dist', 'compiler'), { recursive: true });
  writeFileSync(`${cacheFile}.new`, codeCache());
  renameSync(`${cacheFile}.new`, cacheFile);
}
