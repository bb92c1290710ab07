/** Tier adapter: a small model trains on the GPU as on the CPU, and steps leave no memory behind. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  adamW,
  add,
  closeGpu,
  crossEntropy,
  gather,
  gpuContext,
  keep,
  matmul,
  mean,
  Random,
  reshape,
  rmsNorm,
  rope,
  scope,
  silu,
  slice,
  softmaxAttention,
  tensor,
  useBackend,
  valueAndGrad,
  type Tensor,
} from '../../lib/index.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

const [V, D, T, B] = [11, 8, 7, 2];
const SHAPES: [string, number[]][] = [
  ['table', [V, D]],
  ['mix', [D, 3 * D]],
  ['gain', [D]],
  ['out', [D, V]],
];
const TOTAL = SHAPES.reduce((s, [, shape]) => s + shape.reduce((p, d) => p * d, 1), 0);

/** Cuts the flat parameter buffer into weights. */
function weights(flat: Tensor): Record<string, Tensor> {
  let at = 0;
  return Object.fromEntries(
    SHAPES.map(([name, shape]) => {
      const n = shape.reduce((p, d) => p * d, 1);
      return [name, reshape(slice(flat, 0, at, (at += n)), shape)];
    }),
  );
}

function lossOf(flat: Tensor, ids: Tensor, targets: Tensor): Tensor {
  const w = weights(flat);
  const x = gather(w.table, ids);
  const mixed = matmul(rmsNorm(x, w.gain), w.mix);
  const [q, k, v] = [0, 1, 2].map((i) => reshape(slice(mixed, 2, i * D, (i + 1) * D), [B, T, 2, D / 2]));
  const y = reshape(softmaxAttention(rope(q), rope(k), v), [B, T, D]);
  return mean(crossEntropy(matmul(silu(add(x, y)), w.out), targets));
}

async function train(steps: number): Promise<{ losses: number[]; liveBlocks: number[] }> {
  const random = new Random(5);
  let state = {
    parameters: tensor(Float32Array.from({ length: TOTAL }, () => 0.3 * random.normal())),
    m: tensor(new Float32Array(TOTAL)),
    v: tensor(new Float32Array(TOTAL)),
  };
  const ids = tensor(
    Int32Array.from({ length: B * T }, (_, i) => (i * 5) % V),
    { shape: [B, T] },
  );
  const targets = tensor(
    Int32Array.from({ length: B * T }, (_, i) => (i * 5 + 5) % V),
    { shape: [B, T] },
  );
  const losses: number[] = [];
  const liveBlocks: number[] = [];
  for (let step = 1; step <= steps; step++) {
    const before = state;
    const { next, value } = scope(() => {
      const { value, grads } = valueAndGrad(lossOf)(before.parameters, ids, targets);
      return { next: adamW({ ...before, gradients: grads }, { step, learningRate: 0.03 }), value };
    });
    for (const t of Object.values(before)) t.dispose();
    state = { parameters: keep(next.parameters), m: keep(next.m), v: keep(next.v) };
    losses.push(await value.item());
    value.dispose();
    liveBlocks.push(gpuContext().stats().liveBlocks);
  }
  return { losses, liveBlocks };
}

describe.skipIf(!context)(`training on webgpu ${reason}`, { timeout: COLD }, () => {
  it('follows the losses of the CPU and keeps the number of live buffers', async () => {
    const { losses, liveBlocks } = await train(12);
    await useBackend('cpu');
    const expected = (await train(12)).losses;
    await useBackend('webgpu');
    losses.forEach((loss, i) => expect(Math.abs(loss - expected[i])).toBeLessThan(2e-4 * expected[i]));
    expect(losses[11]).toBeLessThan(0.7 * losses[0]);
    expect(new Set(liveBlocks.slice(2)).size).toBe(1);
  });
});
