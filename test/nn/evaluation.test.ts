import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { useBackend } from '../../lib/index.js';
import { batchOf, evaluateWindows, meanLoss, windowsOf } from '../../lib/nn/evaluation.js';
import { createLanguageModel } from '../../lib/nn/language-model.js';
import { hostMemory } from '../../lib/tensor/host-memory.js';
import { ByteDataset } from '../../lib/tasks/text.js';
import { SMALL } from './support.js';

const dataset = new ByteDataset(
  'count',
  Uint8Array.from({ length: 400 }, (_, i) => (i * i) % 32),
);
const model = createLanguageModel(SMALL.mamba, 1);

beforeAll(() => useBackend('wasm'));

describe('evaluation on held-out windows', () => {
  it('is the mean over scored tokens, whatever the batch size', async () => {
    const windows = dataset.validationWindows(16);
    expect(windows.at(-1)!.skip).toBeGreaterThan(0);
    const whole = await evaluateWindows(model, model.params, windows);
    let total = 0;
    for (const { inputs, targets, skip } of windows) {
      const { logits } = model.forward(model.params, batchOf(inputs, targets, [1, 16]).ids);
      const x = logits.dataSync();
      for (let t = skip; t < 16; t++) {
        const row = Array.from(x.subarray(t * 32, t * 32 + 32));
        total += Math.log(row.reduce((s, v) => s + Math.exp(v), 0)) - row[targets[t]];
      }
    }
    expect(whole).toBeCloseTo(total / dataset.validation.length, 5);
    expect(await evaluateWindows(model, model.params, windows, { batch: 1 })).toBeCloseTo(whole, 6);
  });

  it('averages batches of equal size as the loss of all of them', async () => {
    const data = windowsOf(dataset, 2, 8);
    const batches = [1, 2].map((seed) => () => data(1, new Random(seed)));
    const each = await Promise.all(batches.map((b) => meanLoss(model, model.params, [b])));
    expect(await meanLoss(model, model.params, batches)).toBeCloseTo((each[0] + each[1]) / 2, 12);
    await expect(meanLoss(model, model.params, [])).rejects.toThrow(/at least one batch/);
  });

  it('gives its memory back', async () => {
    const windows = dataset.validationWindows(16);
    await evaluateWindows(model, model.params, windows);
    const before = hostMemory.stats().liveBlocks;
    await evaluateWindows(model, model.params, windows);
    expect(hostMemory.stats().liveBlocks).toBe(before);
  });

  it('refuses nothing to score and windows of different lengths', async () => {
    await expect(evaluateWindows(model, model.params, [])).rejects.toThrow(/at least one scored token/);
    const uneven = [new Int32Array(3), new Int32Array(4)].map((inputs) => ({ inputs, targets: inputs }));
    await expect(evaluateWindows(model, model.params, uneven)).rejects.toThrow(
      /must have 3 tokens each, got 4/,
    );
  });
});

it('draws the windows of a step from its random stream alone', () => {
  const data = windowsOf(dataset, 2, 8);
  const [a, b, c] = [1, 1, 2].map((seed) => data(1, new Random(seed)));
  expect(a.ids.shape).toEqual([2, 8]);
  expect(a.ids.dataSync()).toEqual(b.ids.dataSync());
  expect(a.ids.dataSync()).not.toEqual(c.ids.dataSync());
  expect(Array.from(a.targets.dataSync().subarray(0, 7))).toEqual(
    Array.from(a.ids.dataSync().subarray(1, 8)),
  );
});
