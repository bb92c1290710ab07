/**
 * The rotation of RetNet's queries and keys, in interleaved pairs (x_0, x_1), (x_2, x_3), ...: pair j of the token at
 * position n is turned by n angle_j and, with xPos, stretched by zeta_j^(n / scaleBase), keys by the inverse.
 *
 *   angles 'retnet'  angle_j = base^(-j / (K/2 - 1)): from 1 to 1/base, the last one included (torchscale)
 *   angles 'rope'    angle_j = base^(-2j / K)
 *   zeta_j = (2j + 0.4 K) / (1.4 K)                         xpos, arXiv 2212.10554v1, with torchscale's numbers
 */
import { ShapeError } from '../../core/errors.js';
import * as math from '../../core/math.js';
import { add, mul, sub } from '../../ops/map/index.js';
import { concat, reshape, slice } from '../../ops/structure/index.js';
import { composed } from '../../tensor/composed.js';
import { allocate, defineOperator, type Call, type Implementation } from '../../tensor/operator.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';

interface Tables {
  cos: Float64Array;
  sin: Float64Array;
}

// A model asks for few distinct tables; the oldest goes when a new one comes.
const known = new Map<string, Tables>();
const MOST_TABLES = 8;

/** Cosine and sine of every position and pair, times the stretch: [T, K/2] each. */
function tables(call: Call): Tables {
  const key = [call.dims.T, call.dims.K, ...Object.values(call.params)].join();
  const found = known.get(key) ?? makeTables(call);
  known.set(key, found);
  if (known.size > MOST_TABLES) known.delete([...known.keys()][0]);
  return found;
}

function makeTables(call: Call): Tables {
  const { T, K } = call.dims;
  const { base, offset, scaleBase } = call.params as Record<string, number>;
  const half = K / 2;
  const cos = new Float64Array(T * half);
  const sin = new Float64Array(T * half);
  for (let j = 0; j < half; j++) {
    const exponent = call.params.angles === 'rope' ? (2 * j) / K : j / Math.max(1, half - 1);
    const angle = math.pow(base, -exponent);
    const zeta = math.log((2 * j + 0.4 * K) / (1.4 * K));
    for (let t = 0; t < T; t++) {
      const n = t + offset;
      const power = scaleBase === 0 ? 0 : (n / scaleBase) * zeta;
      const stretch = power === 0 ? 1 : math.exp(call.params.inverse ? -power : power);
      cos[t * half + j] = stretch * math.cos(n * angle);
      sin[t * half + j] = stretch * math.sin(n * angle);
    }
  }
  return { cos, sin };
}

/** Pairs turned forwards, or backwards for the gradient. */
function turn(call: Call, x: Tensor, sign: number): Tensor {
  const { B, T, H, K } = call.dims;
  const { cos, sin } = tables(call);
  const y = allocate(call, x.shape);
  const [from, to] = [x.floats(call.op.id), y.floats(call.op.id)];
  for (let p = 0, at = 0; p < B * T * H; p++) {
    const first = (Math.floor(p / H) % T) * (K / 2);
    for (let pair = first; pair < first + K / 2; pair++, at += 2) {
      const [c, s] = [cos[pair], sign * sin[pair]];
      to[at] = c * from[at] - s * from[at + 1];
      to[at + 1] = c * from[at + 1] + s * from[at];
    }
  }
  return y;
}

const rotaryReference: Implementation = {
  forward: (call) => ({ y: turn(call, call.in.x!, 1) }),
  backward: (call) => ({ x: turn(call, call.grad.y!, -1) }),
};

const rotaryForm = composed(({ x }, call) => {
  const { B, T, H, K } = call.dims;
  const pairs = reshape(x!, [B, T, H, K / 2, 2]);
  const [left, right] = [slice(pairs, 4, 0, 1), slice(pairs, 4, 1, 2)];
  const found = tables(call);
  const table = (values: Float64Array) =>
    tensor(values, { shape: [T, 1, K / 2, 1], dtype: x!.dtype, device: x!.device });
  const [cos, sin] = [table(found.cos), table(found.sin)];
  const turned = [sub(mul(left, cos), mul(right, sin)), add(mul(right, cos), mul(left, sin))];
  return { y: reshape(concat(turned, 4), [B, T, H, K]) };
});

const op = defineOperator({
  id: 'retention-rotary',
  summary: 'rotary positions of RetNet, interleaved pairs, with or without xPos',
  equation: 'pair j of token n: turned by n angle_j, stretched by zeta_j^(+-n / scaleBase)',
  inputs: [{ name: 'x', shape: 'B T H K', half: true, doc: 'queries or keys, K even' }],
  outputs: [{ name: 'y', shape: 'B T H K', doc: 'rotated' }],
  parameters: {
    angles: { type: 'string', default: 'retnet', oneOf: ['retnet', 'rope'], doc: 'row of frequencies' },
    base: { type: 'number', default: 10000, minimum: 1, doc: 'slowest wavelength' },
    offset: { type: 'integer', default: 0, doc: 'position of the first token' },
    scaleBase: { type: 'number', default: 0, minimum: 0, doc: 'of xPos, 512 there; 0: no stretch' },
    inverse: { type: 'boolean', default: false, doc: 'stretch by the inverse, as keys are' },
  },
  check: (call) => {
    if (call.dims.K % 2 !== 0)
      throw new ShapeError(`retention-rotary: x must have an even last axis, got K = ${call.dims.K}`);
  },
  forms: {
    reference: { cpu: rotaryReference },
    parallel: { cpu: rotaryForm, wasm: rotaryReference, webgpu: rotaryForm },
  },
  flops: (d) => 3 * d.B * d.T * d.H * d.K,
  bytes: (d) => 8 * d.B * d.T * d.H * d.K,
  cases: [
    { name: 'retnet', dims: { B: 2, T: 13, H: 3, K: 8 } },
    { name: 'one-pair', dims: { B: 1, T: 5, H: 2, K: 2 } },
    { name: 'offset', dims: { B: 1, T: 1, H: 2, K: 6 }, params: { offset: 1000 } },
    {
      name: 'xpos',
      dims: { B: 1, T: 31, H: 2, K: 6 },
      params: { angles: 'rope', scaleBase: 512, offset: -15 },
    },
    {
      name: 'xpos-keys',
      dims: { B: 1, T: 31, H: 2, K: 6 },
      params: { angles: 'rope', scaleBase: 512, inverse: true },
    },
    { name: 'empty', dims: { B: 1, T: 0, H: 2, K: 4 } },
  ],
  sources: [
    'retnet, arXiv 2307.08621v4, section 2.1; xpos, arXiv 2212.10554v1; constants of torchscale 0.3.0',
  ],
});

export interface RetentionRotaryOptions {
  /** 'retnet' (default) or 'rope'. */
  angles?: 'retnet' | 'rope';
  /** Default 10000. */
  base?: number;
  /** Position of the first token, default 0. */
  offset?: number;
  /** xPos with this base, 512 there; default 0, none. */
  scaleBase?: number;
  /** Stretch by the inverse: for keys. */
  inverse?: boolean;
}

/** Rotates [B,T,H,K] by position in interleaved pairs; K even. Positions run through packed sequences. */
export function retentionRotary(x: Tensor, options: RetentionRotaryOptions = {}): Tensor {
  return op({ x }, { ...options }).y;
}

export { op as retentionRotaryOperator };
