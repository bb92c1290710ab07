import { beforeAll, describe, expect, it } from 'vitest';
import { add, mul, sum, useBackend } from '../../lib/index.js';
import { batchOf } from '../../lib/nn/evaluation.js';
import { clipScale, optimizerDefaults, type OptimizerOptions } from '../../lib/nn/optimizer.js';
import { train } from '../../lib/nn/training.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';

// A linear loss: its gradient is SLOPE for the matrix and [3, 0] for the vector, a global norm of 5.
const SLOPE = [
  [4, 0],
  [0, 0],
];
type Params = { w: Tensor; b: Tensor };
const model = {
  config: 'linear',
  initialize: (): Params => ({
    w: tensor([
      [1, 2],
      [3, 4],
    ]),
    b: tensor([5, 6]),
  }),
  loss: (p: Params) => add(sum(mul(p.w, tensor(SLOPE))), sum(mul(p.b, tensor([3, 0])))),
};

async function after(options: {
  optimizer: OptimizerOptions;
  clip?: number;
  steps?: number;
}): Promise<number[]> {
  const data = () => batchOf(new Int32Array(1), new Int32Array(1), [1, 1]);
  const { params } = await train<Params>({ model, data, steps: 1, schedule: 0.5, ...options });
  return [...params.w.dataSync(), ...params.b.dataSync()];
}

beforeAll(() => useBackend('wasm'));

const close = (actual: number[], expected: number[]) =>
  actual.forEach((v, i) => expect(v, `element ${i} of ${actual.join(', ')}`).toBeCloseTo(expected[i], 5));

describe('one optimiser step', () => {
  it('of SGD subtracts the rate times the gradient', async () => {
    close(await after({ optimizer: { kind: 'sgd' }, clip: Infinity }), [-1, 2, 3, 4, 3.5, 6]);
  });

  it('shrinks gradients to the clipping norm and leaves smaller ones alone', async () => {
    close(await after({ optimizer: { kind: 'sgd' }, clip: 2.5 }), [0, 2, 3, 4, 4.25, 6]);
    close(await after({ optimizer: { kind: 'sgd' }, clip: 6 }), [-1, 2, 3, 4, 3.5, 6]);
    close(await after({ optimizer: { kind: 'sgd' } }), [0.6, 2, 3, 4, 4.7, 6]);
  });

  it('of AdamW moves by the rate and decays matrices only', async () => {
    const optimizer = { weightDecay: 0.2 };
    // Step 1: mhat / sqrt(vhat) is the sign of the gradient; decay factor 1 - 0.5 * 0.2 = 0.9.
    close(await after({ optimizer }), [0.9 - 0.5, 1.8, 2.7, 3.6, 4.5, 6]);
  });

  it('carries momentum to the next step', async () => {
    close(await after({ optimizer: { kind: 'sgd', momentum: 0.5 }, clip: Infinity, steps: 2 }), [
      1 - 2 - 3,
      2,
      3,
      4,
      5 - 1.5 - 2.25,
      6,
    ]);
  });
});

it('gives a factor of 1 for zero gradients', () => {
  const { squared, scale } = clipScale(tensor([0, 0]), 1);
  expect([squared.dataSync()[0], scale.dataSync()[0]]).toEqual([0, 1]);
});

it('fills the defaults of the recipe', () => {
  expect(optimizerDefaults()).toEqual({
    kind: 'adamw',
    beta1: 0.9,
    beta2: 0.95,
    eps: 1e-8,
    weightDecay: 0.1,
  });
  expect(optimizerDefaults({ kind: 'sgd', momentum: 0.5 })).toEqual({
    kind: 'sgd',
    momentum: 0.5,
    weightDecay: 0,
  });
});
