/**
 * The softmax-attention block Mamba is compared with: pre-norm, rotary positions (or added ones, or none), MLP.
 *
 *   r <- r + o(attention(rope(q), rope(k), v)) with q, k, v = projections of RMSNorm(r)
 *   r <- r + down(GELU(up(RMSNorm(r))))                    or down(SiLU(gate(h)) up(h)) with h = RMSNorm(r)
 *
 * Sources: Vaswani et al. 2017, arXiv 1706.03762v7, section 3 (attention); Su et al. 2021, arXiv 2104.09864 (RoPE);
 * Zhang and Sennrich 2019, arXiv 1910.07467 (RMSNorm); Shazeer 2020, arXiv 2002.05202 (SwiGLU). The combination is the
 * "Transformer++" of mamba, arXiv 2312.00752v2, section 4.2, with SwiGLU. No biases. Weights are [out, in].
 */
import { ArgumentError, show } from '../core/errors.js';
import type { Random } from '../core/random.js';
import { softmaxAttention } from '../families/softmax-attention/index.js';
import { add, gelu, mul, silu } from '../ops/map/index.js';
import { matmul } from '../ops/matmul/index.js';
import { rmsNorm } from '../ops/norm/index.js';
import { rope } from '../ops/rope/index.js';
import { reshape } from '../ops/structure/index.js';
import { ones, type Tensor } from '../tensor/tensor.js';
import { KeyValueCache } from './kv-cache.js';
import { linearWeights } from './parameters.js';

export const POSITIONS = ['rope', 'sinusoidal', 'learned', 'none'] as const;
/** How a transformer knows the order of tokens. */
export type Positions = (typeof POSITIONS)[number];

export interface TransformerConfig {
  width: number;
  /** Query heads, default width / 32 (at least 1). */
  heads?: number;
  /** Key/value heads, default as many; fewer is grouped-query attention. */
  keyValueHeads?: number;
  /** Hidden width of the MLP, default 4 width. */
  hidden?: number;
  /** Default gelu. */
  mlp?: 'gelu' | 'swiglu';
  /**
   * Default rope. sinusoidal and learned are added to the embedding by the language model, see positions.ts; none leaves
   * the order to the causal mask alone.
   */
  positions?: Positions;
  /** Positions that learned has vectors for. */
  context?: number;
  /** Base of the rotary wavelengths, default 10000. */
  ropeBase?: number;
}

export interface TransformerSizes {
  width: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  hidden: number;
}

/** Parameters of one block; `gate` exists with SwiGLU only. */
export type TransformerParameters = {
  norm1: Tensor;
  q: Tensor;
  k: Tensor;
  v: Tensor;
  o: Tensor;
  norm2: Tensor;
  mlp: { up: Tensor; down: Tensor } | { gate: Tensor; up: Tensor; down: Tensor };
};

/** The sizes with their defaults. @throws ArgumentError when heads do not divide the width into even pieces */
export function transformerSizes(config: TransformerConfig): TransformerSizes {
  const { width } = config;
  const heads = config.heads ?? Math.max(1, Math.floor(width / 32));
  const sizes = {
    width,
    heads,
    keyValueHeads: config.keyValueHeads ?? heads,
    headSize: width / heads,
    hidden: config.hidden ?? 4 * width,
  };
  for (const [name, value] of Object.entries(sizes))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(
        `transformerSizes: ${name} must be a positive integer, got ${show(value)}; heads must divide width`,
      );
  const { positions = 'rope', context } = config;
  if (!POSITIONS.includes(positions))
    throw new ArgumentError(
      `transformerSizes: positions must be one of ${POSITIONS.join(', ')}, got ${show(positions)}`,
    );
  if (positions === 'learned' && !(Number.isInteger(context) && context! > 0))
    throw new ArgumentError(
      `transformerSizes: context must be a positive integer for learned positions, got ${show(context)}`,
    );
  if (positions === 'rope' && sizes.headSize % 2 !== 0)
    throw new ArgumentError(
      `transformerSizes: width / heads must be even for rotary positions, got ${sizes.headSize}`,
    );
  if (heads % sizes.keyValueHeads !== 0)
    throw new ArgumentError(
      `transformerSizes: keyValueHeads must divide heads ${heads}, got ${sizes.keyValueHeads}`,
    );
  return sizes;
}

/** Shapes of one block's parameters by path. */
export function transformerShapes(config: TransformerConfig): Record<string, number[]> {
  const { width, heads, keyValueHeads, headSize, hidden } = transformerSizes(config);
  return {
    norm1: [width],
    q: [heads * headSize, width],
    k: [keyValueHeads * headSize, width],
    v: [keyValueHeads * headSize, width],
    o: [width, heads * headSize],
    norm2: [width],
    ...(config.mlp === 'swiglu' ? { 'mlp.gate': [hidden, width] } : {}),
    'mlp.up': [hidden, width],
    'mlp.down': [width, hidden],
  };
}

/** Fresh parameters; `layers` scales the two projections into the residual stream by 1/sqrt(2 layers), as GPT-2. */
export function createTransformerBlock(
  config: TransformerConfig,
  random: Random,
  layers = 1,
): TransformerParameters {
  const shapes = transformerShapes(config);
  const residual = 1 / Math.sqrt(2 * layers);
  const linear = (name: string, gain = 1) =>
    linearWeights(random.split(name), shapes[name][0], shapes[name][1], gain);
  const mlp = { up: linear('mlp.up'), down: linear('mlp.down', residual) };
  return {
    norm1: ones(shapes.norm1),
    q: linear('q'),
    k: linear('k'),
    v: linear('v'),
    o: linear('o', residual),
    norm2: ones(shapes.norm2),
    mlp: config.mlp === 'swiglu' ? { gate: linear('mlp.gate'), ...mlp } : mlp,
  };
}

/** An empty cache for B sequences; `capacity` tokens are allocated at once. */
export function transformerState(config: TransformerConfig, batch: number, capacity?: number): KeyValueCache {
  const { keyValueHeads, headSize } = transformerSizes(config);
  return new KeyValueCache({ batch, heads: keyValueHeads, size: headSize }, capacity);
}

/**
 * One block on a residual stream [B,T,width]. With a cache, the T tokens follow those in it and are added to it
 * (the cache changes in place; no gradient flows through it).
 */
export function transformerBlock(
  config: TransformerConfig,
  p: TransformerParameters,
  x: Tensor,
  cache?: KeyValueCache,
): Tensor {
  const attended = add(x, attention(config, p, rmsNorm(x, p.norm1), cache));
  return add(attended, feedForward(p, rmsNorm(attended, p.norm2)));
}

function attention(
  config: TransformerConfig,
  p: TransformerParameters,
  h: Tensor,
  cache?: KeyValueCache,
): Tensor {
  const { heads, keyValueHeads, headSize } = transformerSizes(config);
  const [batch, time, width] = h.shape;
  const project = (weight: Tensor, n: number) =>
    reshape(matmul(h, weight, { transposeB: true }), [batch, time, n, headSize]);
  const positions = { base: config.ropeBase ?? 10000, offset: cache?.length ?? 0 };
  const turn = (t: Tensor) => ((config.positions ?? 'rope') === 'rope' ? rope(t, positions) : t);
  const q = turn(project(p.q, heads));
  const k = turn(project(p.k, keyValueHeads));
  const v = project(p.v, keyValueHeads);
  const y = cache ? cache.attend(q, k, v) : softmaxAttention(q, k, v, { causal: true });
  return matmul(reshape(y, [batch, time, width]), p.o, { transposeB: true });
}

function feedForward(p: TransformerParameters, h: Tensor): Tensor {
  const up = matmul(h, p.mlp.up, { transposeB: true });
  const hidden = 'gate' in p.mlp ? mul(silu(matmul(h, p.mlp.gate, { transposeB: true })), up) : gelu(up);
  return matmul(hidden, p.mlp.down, { transposeB: true });
}
