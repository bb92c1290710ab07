/** Family rotary: position by rotation of pairs of features, and its ways to longer texts. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import type { Dims, Shape } from '../../core/shape.js';
import { sizeOf } from '../../core/shape.js';
import * as math from '../../core/math.js';
import { defineOperator, type Call, type Params } from '../../tensor/operator.js';
import { requireTensor, tensor, type Tensor } from '../../tensor/tensor.js';
import { rotaryGpu, rotaryWasm } from './forms.js';
import type { RotaryFrequencies } from './frequencies.js';
import { rotaryReference } from './reference.js';
import { tableOf, xposLogarithm, type XPos } from './table.js';

export * from './frequencies.js';
export * from './pairing.js';
export { rotaryTable, type RotaryTableOptions, type XPos } from './table.js';

/** Which features make a pair. */
export type Pairing = 'half' | 'interleaved';

function check(call: Call): void {
  const { K, T, P, J } = call.dims;
  if (2 * J > K)
    throw new ShapeError(
      `rotary: table must turn at most K = ${K} features, got ${2 * J}; make it for fewer dims`,
    );
  const { positions } = call.in;
  const offset = call.params.offset as number;
  if (!positions) {
    if (offset + T > P)
      throw new ShapeError(
        `rotary: table must have offset + T = ${offset + T} rows, got ${P}; make it longer`,
      );
    return;
  }
  if (offset !== 0)
    throw new ArgumentError(`rotary: offset must be 0 with positions, got ${offset}; add it to them`);
  if (positions.device === 'gpu') return;
  const wrong = (positions.dataSync() as Int32Array).find((p) => p < 0 || p >= P);
  if (wrong !== undefined)
    throw new ArgumentError(`rotary: positions must lie in [0, ${P}), the rows of table, got ${wrong}`);
}

/** Positions that restart and jump, and a table of plain rotations times 1.25. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
  _params: Params,
): ArrayLike<number> | undefined {
  if (input === 'positions')
    return Int32Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform() * dims.P));
  if (input !== 'table') return undefined;
  const half = sizeOf(shape) / 2;
  const angles = Float64Array.from({ length: half }, () => 6 * uniform());
  return [...angles].map((a) => 1.25 * math.cos(a)).concat([...angles].map((a) => 1.25 * math.sin(a)));
}

const op = defineOperator({
  id: 'rotary',
  summary: 'rotary position embedding from a table, in both pairings, for part of the features',
  equation:
    '(y_a, y_b) = (c x_a - s x_b, s x_a + c x_b) with c, s of row p(b, t); pairs (j, j + R/2) or (2j, 2j + 1)',
  inputs: [
    { name: 'x', shape: 'B T H K', half: true, doc: 'queries or keys' },
    {
      name: 'table',
      shape: '2 P J',
      differentiable: false,
      doc: 'cosines and sines of P positions and J = R/2 pairs, with their magnitudes',
    },
    {
      name: 'positions',
      shape: 'B T',
      dtypes: ['i32'],
      optional: true,
      differentiable: false,
      doc: 'rows of the table; t + offset when absent. On a GPU rows outside are cut to the table',
    },
  ],
  outputs: [{ name: 'y', shape: 'B T H K', doc: 'rotated; features from R on pass through' }],
  parameters: {
    pairing: {
      type: 'string',
      default: 'half',
      oneOf: ['half', 'interleaved'],
      doc: 'pairs (j, j + R/2), or (2j, 2j + 1)',
    },
    offset: { type: 'integer', default: 0, minimum: 0, doc: 'position of the first token' },
  },
  check,
  forms: {
    reference: { cpu: rotaryReference },
    parallel: { wasm: rotaryWasm, webgpu: rotaryGpu },
  },
  flops: (d: Dims) => 6 * d.B * d.T * d.H * d.J,
  bytes: (d: Dims) => 8 * d.B * d.T * d.H * d.K,
  cases: [
    { name: 'half', dims: { B: 2, T: 13, H: 3, K: 8, P: 13, J: 4 } },
    {
      name: 'interleaved',
      dims: { B: 2, T: 7, H: 2, K: 12, P: 20, J: 6 },
      params: { pairing: 'interleaved', offset: 9 },
    },
    { name: 'part', dims: { B: 2, T: 5, H: 2, K: 11, P: 9, J: 3 }, with: ['positions'] },
    {
      name: 'part-interleaved',
      dims: { B: 1, T: 31, H: 3, K: 20, P: 50, J: 5 },
      params: { pairing: 'interleaved' },
      with: ['positions'],
    },
    { name: 'one-token', dims: { B: 3, T: 1, H: 1, K: 2, P: 4, J: 1 }, with: ['positions'] },
    { name: 'empty', dims: { B: 2, T: 0, H: 2, K: 4, P: 1, J: 2 } },
  ],
  sample,
  sources: [
    'Su et al. 2021, arXiv 2104.09864, section 3.2 (interleaved pairs); pairing (j, j + R/2) of GPT-NeoX; xPos, arXiv 2212.10554',
  ],
});

export interface RotaryCallOptions {
  /** i32 [B,T]: rows of the table, for packed sequences, caches and restarts; else t + offset. */
  positions?: Tensor;
  /** Position of the first token, default 0. */
  offset?: number;
  /** Default half. */
  pairing?: Pairing;
}

/**
 * Rotates queries or keys x [B,T,H,K] by the rows of a table from `rotaryTable`. A table made with `inverse` undoes it;
 * the gradient is the transposed rotation. Features beyond the table's pass through.
 * @throws ShapeError or ArgumentError when table, positions or offset do not fit
 */
export function rotary(x: Tensor, table: Tensor, options: RotaryCallOptions = {}): Tensor {
  const { positions, ...params } = options;
  return op({ x, table, positions }, params).y;
}

/** Old and new place of every token of a cache: one list for all rows of the batch, or one number a token. */
export interface Rerotation {
  from: ArrayLike<number>;
  to: ArrayLike<number>;
  frequencies: RotaryFrequencies;
  /** Frequencies at the new places, where these change with the length; attention factors must agree. */
  newFrequencies?: RotaryFrequencies;
  /** Scale base of keys that carry the decay of xPos. */
  xposScaleBase?: number;
  pairing?: Pairing;
}

function checkPlaces(name: string, list: ArrayLike<number>, B: number, T: number): void {
  if (list?.length !== T && list?.length !== B * T)
    throw new ArgumentError(
      `rotateCachedKeys: ${name} must hold T = ${T} or B T = ${B * T} positions, got ${show(list?.length)}`,
    );
  const bad = Array.from(list).findIndex((p) => !Number.isFinite(p));
  if (bad >= 0)
    throw new ArgumentError(`rotateCachedKeys: ${name} must hold numbers, got ${show(list[bad])} at ${bad}`);
}

/**
 * Keys [B,T,H,K] that were rotated at positions `from` as if they had been rotated at `to`: one turn by the difference
 * of the two angles, made in f64. What a cache needs that drops tokens and numbers the rest anew, or whose frequencies
 * change. Positions are plain numbers, T of them or B T.
 * @throws ArgumentError for other numbers of positions, or frequencies of different size or attention factor
 */
export function rotateCachedKeys(keys: Tensor, options: Rerotation): Tensor {
  const { from, to, frequencies, newFrequencies = frequencies, xposScaleBase, pairing } = options;
  requireTensor('rotateCachedKeys', 'keys', keys);
  const [B, T] = keys.shape;
  for (const [name, list] of Object.entries({ from, to })) checkPlaces(name, list, B, T);
  if (xposScaleBase !== undefined && !(xposScaleBase > 0 && xposScaleBase < Infinity))
    throw new ArgumentError(
      `rotateCachedKeys: xposScaleBase must be a positive number, got ${show(xposScaleBase)}`,
    );
  const [old, fresh] = [frequencies.frequencies, newFrequencies.frequencies];
  if (old.length !== fresh.length || frequencies.attentionFactor !== newFrequencies.attentionFactor)
    throw new ArgumentError(
      `rotateCachedKeys: newFrequencies must have ${old.length} pairs and attention factor ${frequencies.attentionFactor}, got ${show([fresh.length, newFrequencies.attentionFactor])}`,
    );
  const rows = Math.max(from.length, to.length);
  const xpos: XPos | undefined = xposScaleBase ? { side: 'key', scaleBase: xposScaleBase } : undefined;
  const turn = (row: number, j: number) => {
    const [a, b] = [from[row % from.length], to[row % to.length]];
    const magnitude = xpos ? math.exp(xposLogarithm(old.length, j, b - a, xpos)) : 1;
    return [b * fresh[j] - a * old[j], magnitude] as const;
  };
  const dtype = keys.dtype === 'f64' ? 'f64' : 'f32';
  const table = tableOf(Math.max(1, rows), old.length, (row, j) => (rows ? turn(row, j) : [0, 1]), {
    dtype,
    device: keys.device,
  });
  const each = Int32Array.from({ length: B * T }, (_, i) => i % Math.max(1, rows));
  const positions = tensor(each, { shape: [B, T], device: keys.device });
  return rotary(keys, table, { positions, pairing });
}

export { op as rotaryOperator };
