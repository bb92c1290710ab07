/** The library bundles for a browser without Node's modules. */
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { root } from './support.js';

describe('lib/index.ts in a browser bundle', () => {
  it('resolves completely; what only Node has stays behind dynamic imports', async () => {
    const result = await build({
      entryPoints: [root + 'lib/index.ts'],
      bundle: true,
      format: 'esm',
      platform: 'browser',
      target: 'es2022',
      write: false,
      metafile: true,
      logLevel: 'silent',
      external: ['node:*', 'webgpu'],
    });
    expect(result.errors).toEqual([]);
    const outputs = Object.values(result.metafile.outputs);
    const hard = outputs.flatMap((o) =>
      o.imports.filter((i) => i.external && i.kind !== 'dynamic-import').map((i) => i.path),
    );
    expect(hard).toEqual([]);
  });
});
