// Compiles lib/ and kernel/ into dist/ with the project's own TypeScript.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export function buildDist(root) {
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  if (!existsSync(compiler)) throw new Error('build: typescript must be installed; run `npm ci` first');
  const run = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (run.status !== 0)
    throw new Error(`build: the TypeScript sources must compile, got\n${run.stdout}${run.stderr}`);
}
