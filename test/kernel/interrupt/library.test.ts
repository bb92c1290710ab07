import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasAdapter } from './adapter.js';
import type { KernelClient } from '../../../kernel/run/kernel-client.js';
import { interrupted, launch, value } from './support.js';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await launch();
  const { reply } = await kernel.execute(`
    import * as assay from 'assay';
    import { createLanguageModel, train, batchOf, useBackend, tensor } from 'assay';
    const model = () => createLanguageModel({ kind: 'mamba', layers: 1, width: 16, stateSize: 4, vocabulary: 32 }, 3);
    const ids = Int32Array.from({ length: 16 }, (_, i) => i % 32);
    const data = () => batchOf(ids, ids.map((i) => (i + 1) % 32), [2, 8]);
    const short = async () => (await train({ model: model(), data, steps: 3 })).fingerprint;`);
  expect(reply?.content).toMatchObject({ status: 'ok' });
});
afterAll(async () => {
  await kernel?.shutdown();
});

const backends = (await hasAdapter()) ? ['wasm', 'webgpu'] : ['wasm'];

describe.each(backends)('a training loop of the library on %s', (backend) => {
  it('is ended by interrupts, and the same training gives the same bits after them', async () => {
    await value(kernel, `await useBackend('${backend}')`);
    const before = await value(kernel, 'await short()');
    for (let i = 0; i < 4; i++) {
      const ended = await interrupted(
        kernel,
        'await train({ model: model(), data, steps: 1e6 });',
        'message',
        60 + 35 * i,
      );
      expect(ended.reply?.content.ename).toBe('CellInterrupted');
    }
    expect(await value(kernel, 'await short()')).toBe(before);
  });

  it('saves its checkpoint on an interrupt', async () => {
    const code =
      "import { mkdtempSync, readdirSync } from 'node:fs';\nimport { tmpdir } from 'node:os';\nimport { join } from 'node:path';\n" +
      "const folder = mkdtempSync(join(tmpdir(), 'assay-'));\n" +
      "await train({ model: model(), data, steps: 1e6, checkpoint: { path: join(folder, 'run.safetensors') } });";
    await interrupted(kernel, code, 'message', 300);
    const wait =
      'for (let i = 0; i < 200 && readdirSync(folder).join() !== "run.safetensors"; i++) await new Promise((r) => setTimeout(r, 20));';
    expect(await value(kernel, `${wait}\nreaddirSync(folder).join()`)).toBe("'run.safetensors'");
  });
});
