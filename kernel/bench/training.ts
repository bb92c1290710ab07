/** Training steps as benchmarks: the same models as the opponents' programs, one AdamW step with its loss read back. */
import { Random } from '../../lib/core/random.js';
import { scope, valueAndGrad } from '../../lib/index.js';
import { softmaxAttention } from '../../lib/families/index.js';
import {
  add,
  adamW,
  crossEntropy,
  gather,
  matmul,
  mean,
  relu,
  reshape,
  rmsNorm,
} from '../../lib/ops/index.js';
import { flatSpec, flatten, flattenAs, views } from '../../lib/nn/parameters.js';
import { createLanguageModel } from '../../lib/nn/language-model.js';
import { keep } from '../../lib/tensor/scope.js';
import { tensor, zeros, type Tensor } from '../../lib/tensor/tensor.js';
import type { Tree } from '../../lib/tensor/tree.js';

export interface TrainingRow {
  op: string;
  dims: Record<string, number>;
  flops: number;
  bytes: number;
  /** Makes the model once and returns one step. */
  make(): () => Promise<number>;
}

function batch(B: number, T: number, V: number): { ids: Tensor; targets: Tensor } {
  const column = (shift: number) =>
    tensor(
      Int32Array.from({ length: B * T }, (_, i) => ((i + shift) * 7919) % V),
      { shape: [B, T] },
    );
  return { ids: column(0), targets: column(1) };
}

/** Forward, backward, fused AdamW over the flat buffer, loss read back. */
function stepper<P extends Tree>(params: P, lossOf: (p: P) => Tensor): () => Promise<number> {
  const spec = flatSpec(params);
  let { flat } = flatten(params);
  let moments = { m: zeros(flat.shape), v: zeros(flat.shape) };
  let step = 0;
  const gradients = valueAndGrad(lossOf);
  return async () => {
    step++;
    const before = [flat, moments.m, moments.v];
    const loss = scope(() => {
      const { value, grads } = gradients(views<P>(flat, spec));
      const next = adamW(
        { parameters: flat, gradients: flattenAs(grads, spec), ...moments },
        { step, learningRate: 1e-3, weightDecay: 0.01 },
      );
      flat = keep(next.parameters);
      moments = { m: keep(next.m), v: keep(next.v) };
      return value;
    });
    const read = await loss.item();
    for (const t of [...before, loss]) t.dispose();
    return read;
  };
}

function weights(random: Random, name: string, shape: number[]): Tensor {
  const scale = 1 / Math.sqrt(shape.length > 1 ? shape[shape.length - 2] : 1);
  const values = new Float32Array(shape.reduce((p, d) => p * d, 1));
  random.split(name).fillNormal(values, 0, scale);
  return tensor(values, { shape });
}

const ones = (n: number) => tensor(new Float32Array(n).fill(1));

/** Pre-norm block: embedding, causal attention, ReLU feed-forward, untied head; no positions, no biases. */
function transformerStep(
  B: number,
  T: number,
  D: number,
  H: number,
  F: number,
  V: number,
): () => Promise<number> {
  const random = new Random(1);
  const square = (name: string) => weights(random, name, [D, D]);
  const params = {
    embed: weights(random, 'embed', [V, D]),
    head: weights(random, 'head', [D, V]),
    wq: square('wq'),
    wk: square('wk'),
    wv: square('wv'),
    wo: square('wo'),
    w1: weights(random, 'w1', [D, F]),
    w2: weights(random, 'w2', [F, D]),
    g1: ones(D),
    g2: ones(D),
  };
  const { ids, targets } = batch(B, T, V);
  return stepper(params, (p) => {
    let x = gather(p.embed, ids);
    const h = rmsNorm(x, p.g1);
    const heads = (w: Tensor) => reshape(matmul(h, w), [B, T, H, D / H]);
    const mixed = reshape(softmaxAttention(heads(p.wq), heads(p.wk), heads(p.wv)), [B, T, D]);
    x = add(x, matmul(mixed, p.wo));
    x = add(x, matmul(relu(matmul(rmsNorm(x, p.g2), p.w1)), p.w2));
    return mean(crossEntropy(matmul(x, p.head), targets));
  });
}

/** Mamba blocks between an embedding and an untied head. */
function mambaStep(B: number, T: number, D: number, N: number, L: number): () => Promise<number> {
  const model = createLanguageModel({ kind: 'mamba', layers: L, width: D, stateSize: N, tied: false }, 1);
  const { ids, targets } = batch(B, T, 256);
  return stepper(model.params, (p) => model.loss(p, ids, targets));
}

export function trainingRows(): TrainingRow[] {
  const tokens = 4 * 128;
  return [
    {
      op: 'train/transformer',
      dims: { B: 4, T: 128, D: 128, H: 4, F: 512, V: 256, L: 1 },
      flops: 6 * tokens * (4 * 128 * 128 + 2 * 128 * 512 + 128 * 256) + 12 * tokens * 128 * 128,
      bytes: 28 * 262400,
      make: () => transformerStep(4, 128, 128, 4, 512, 256),
    },
    {
      op: 'train/mamba',
      dims: { B: 8, T: 128, D: 64, E: 2, N: 16, V: 256, L: 2 },
      flops: 6 * 8 * 128 * (2 * (64 * 256 + 128 * 36 + 4 * 128 + 128 * 64) + 64 * 256),
      bytes: 28 * 95000,
      make: () => mambaStep(8, 128, 64, 16, 2),
    },
  ];
}
