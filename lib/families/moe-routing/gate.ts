/** The fused top-k gate: scores, choice and weights of small k in one pass. */
import { ArgumentError } from '../../core/errors.js';
import type { Dims } from '../../core/shape.js';
import { defineOperator, type Call, type Params } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { gateHost } from './gate-host.js';
import { gateGpu } from './gpu.js';
import { gateReference } from './reference.js';

/** On the host a logit that cannot be routed is an error; on a GPU NaN goes on into the weights of its token. */
function check(call: Call): void {
  const { T, E } = call.dims;
  const k = call.params.k as number;
  if (k > E) throw new ArgumentError(`${call.op.id}: k must be <= E = ${E}, got ${k}`);
  const { logits, bias, mask } = call.in;
  if (logits!.device === 'gpu') return;
  bias?.dataSync().forEach((v: number, e: number) => {
    if (!Number.isFinite(v))
      throw new ArgumentError(`${call.op.id}: bias must be finite, got ${v} for expert ${e}`);
  });
  const values = logits!.dataSync();
  const real = mask?.dataSync();
  for (let t = 0; t < T; t++) {
    if (real && real[t] === 0) continue;
    let highest = -Infinity;
    for (let i = t * E; i < (t + 1) * E; i++) {
      if (!(values[i] < Infinity))
        throw new ArgumentError(
          `${call.op.id}: logits must be numbers below infinity, got ${values[i]} for token ${t}, expert ${i - t * E}`,
        );
      if (values[i] > highest) highest = values[i];
    }
    if (highest === -Infinity)
      throw new ArgumentError(`${call.op.id}: logits must leave a token an expert, got -Infinity at ${t}`);
  }
}

/** In cases three tokens of four are real. */
function sample(input: string, shape: readonly number[], uniform: () => number): Float64Array | undefined {
  if (input === 'mask') return Float64Array.from({ length: shape[0] }, () => Number(uniform() < 0.75));
  if (input === 'bias') return Float64Array.from({ length: shape[0] }, () => 0.4 * uniform() - 0.2);
  return undefined;
}

const op = defineOperator({
  id: 'moe-routing/gate',
  summary: 'scores of all experts, the k best of each token, and their weights',
  equation:
    'p = softmax(l) or sigmoid(l); e_1..e_k = top-k of l, or of p + bias; w_j = scale p_ej, or scale p_ej / sum_i p_ei',
  inputs: [
    { name: 'logits', shape: 'T E', doc: 'router logits' },
    {
      name: 'bias',
      shape: 'E',
      optional: true,
      differentiable: false,
      doc: 'added to the scores for the choice alone',
    },
    {
      name: 'mask',
      shape: 'T',
      dtypes: ['f32', 'f64', 'i32'],
      optional: true,
      differentiable: false,
      doc: '0 for padding tokens, which get no expert (-1), weight 0 and probability 0',
    },
  ],
  outputs: [
    { name: 'weights', shape: '*', doc: '[T,k] in the order of the choices' },
    { name: 'experts', shape: '*', doc: 'i32 [T,k], best first; ties: lower index', differentiable: false },
    { name: 'probabilities', shape: 'T E', doc: 'scores of all experts' },
  ],
  parameters: {
    k: { type: 'integer', default: 1, minimum: 1, maximum: 64, doc: 'experts a token' },
    score: { type: 'string', default: 'softmax', oneOf: ['softmax', 'sigmoid'], doc: 'how a logit scores' },
    normalize: {
      type: 'string',
      default: 'none',
      oneOf: ['none', 'chosen'],
      doc: 'chosen: weights divided by their sum before scale',
    },
    scale: { type: 'number', default: 1, minimum: -3e38, maximum: 3e38, doc: 'factor on the weights' },
  },
  check,
  forms: { reference: { cpu: gateReference }, parallel: { cpu: gateHost, webgpu: gateGpu } },
  flops: (d: Dims, p: Params) => d.T * (5 * d.E + (p.k as number) * (d.E + 4)),
  bytes: (d: Dims, p: Params) => 4 * d.T * (2 * d.E + 2 * (p.k as number)),
  cases: [
    { name: 'softmax', dims: { T: 7, E: 8 }, params: { k: 2 } },
    { name: 'mixtral', dims: { T: 5, E: 8 }, params: { k: 2, normalize: 'chosen' } },
    {
      name: 'deepseek',
      dims: { T: 6, E: 19 },
      params: { k: 4, score: 'sigmoid', normalize: 'chosen', scale: 2.5 },
      with: ['bias', 'mask'],
    },
    { name: 'sigmoid', dims: { T: 9, E: 5 }, params: { k: 3, score: 'sigmoid' }, with: ['mask'] },
    { name: 'one-expert', dims: { T: 3, E: 1 }, params: { k: 1 } },
    { name: 'one-token', dims: { T: 1, E: 257 }, params: { k: 8 } },
    { name: 'every-expert', dims: { T: 4, E: 16 }, params: { k: 16, normalize: 'chosen' } },
    { name: 'wide', dims: { T: 3, E: 130 }, params: { k: 64, normalize: 'chosen' }, with: ['bias'] },
    { name: 'empty', dims: { T: 0, E: 4 }, params: { k: 2 } },
  ],
  floors: {
    'one-expert': {
      floor: 1,
      reason: 'the only expert has probability 1 whatever the logit: the gradient is exactly 0',
    },
  },
  sample,
  sources: [
    'top-k of a softmax: Shazeer et al. 2017, arXiv 1701.06538; k = 1: Switch, arXiv 2101.03961, equations 1 and 2',
    'weights divided by their sum: GShard, arXiv 2006.16668, algorithm 1; sigmoid and a bias for the choice alone: DeepSeek-V3, arXiv 2412.19437, equations 13 to 16',
  ],
});

export interface TopKGateOptions {
  /** Experts a token, 1 to 64 and at most E. */
  k: number;
  /** Default softmax. */
  score?: 'softmax' | 'sigmoid';
  /** Default none: the scores themselves; chosen: divided by their sum over the chosen. */
  normalize?: 'none' | 'chosen';
  /** [E], added to the scores for the choice alone. */
  bias?: Tensor;
  /** [T], 0 for padding tokens. */
  mask?: Tensor;
  /** Factor on the weights, default 1. */
  scale?: number;
}

/**
 * The fused gate: logits [T,E] give weights [T,k], i32 experts [T,k] and probabilities [T,E]. Experts come best first,
 * the lower index first among equals. Without a bias the choice is made by the logits, which order like the scores but
 * never round to ties; with one by score + bias. Gradients flow to the logits through weights and probabilities.
 * @throws ArgumentError on the host for NaN, for infinity and for a token with no finite logit; on a GPU NaN goes into
 * the weights of its token
 */
export function topKGate(
  logits: Tensor,
  options: TopKGateOptions,
): { weights: Tensor; experts: Tensor; probabilities: Tensor } {
  const { bias, mask, ...params } = options;
  const { weights, experts, probabilities } = op({ logits, bias, mask }, { ...params });
  return { weights, experts, probabilities };
}

export { op as gateOperator };
