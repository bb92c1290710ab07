/** Tier adapter: a program that used the GPU ends by itself, and a second copy of the library adopts the instance. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu } from '../../lib/gpu/index.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());
const root = fileURLToPath(new URL('../../', import.meta.url));

describe.skipIf(!context)(`a program that uses the GPU ${reason}`, { timeout: COLD }, () => {
  it('ends by itself with code 0, and two copies of the library share one instance', async () => {
    const folder = await mkdtemp(join(root, 'node_modules/.gpu-exit-'));
    try {
      const entry = join(root, 'lib/gpu/index.ts');
      for (const copy of ['one', 'two'])
        await build({
          entryPoints: [entry],
          bundle: true,
          platform: 'node',
          format: 'esm',
          outfile: join(folder, `${copy}.mjs`),
          external: ['webgpu'],
          banner: { js: `// ${copy}` },
        });
      const program = [
        `const one = await import(${JSON.stringify(join(folder, 'one.mjs'))});`,
        `const two = await import(${JSON.stringify(join(folder, 'two.mjs'))});`,
        `const a = await one.openGpu(); const instance = globalThis[Symbol.for('assay.gpu')].gpu;`,
        `const b = await two.openGpu();`,
        `const block = a.allocate(16); a.write(block, 0, new Uint8Array([1, 2, 3, 4])); await a.read(block, 0, 4);`,
        `console.log(JSON.stringify([a !== b, instance === globalThis[Symbol.for('assay.gpu')].gpu]));`,
      ].join('\n');
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
        timeout: 50_000,
      });
      expect(JSON.parse(stdout)).toEqual([true, true]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
