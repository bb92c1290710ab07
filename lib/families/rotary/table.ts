/** Tables of cosines and sines, computed in f64 on the host. */
import { ArgumentError, show } from '../../core/errors.js';
import * as math from '../../core/math.js';
import type { Dtype } from '../../core/dtype.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import type { DeviceName } from '../../tensor/storage.js';
import type { RotaryFrequencies } from './frequencies.js';

/** Decay of xPos: which side of the dot product, the scale base, and the position where magnitudes are 1. */
export interface XPos {
  side: 'query' | 'key';
  /** Default 512. */
  scaleBase?: number;
  /** Default ceil(length / 2), which keeps magnitudes near 1; queries and keys must share it. */
  centre?: number;
}

export interface RotaryTableOptions {
  /** Positions 0 to length - 1. */
  length: number;
  xpos?: XPos;
  /** Undoes the rotation and its magnitudes. */
  inverse?: boolean;
  dtype?: Dtype;
  device?: DeviceName;
}

/** log of the magnitude of xPos for pair j at a position: +-(n - centre) / scaleBase log zeta_j. */
export function xposLogarithm(pairs: number, j: number, distance: number, xpos: XPos): number {
  const zeta = (2 * j + 0.4 * 2 * pairs) / (1.4 * 2 * pairs);
  const sign = xpos.side === 'query' ? 1 : -1;
  return ((sign * distance) / (xpos.scaleBase ?? 512)) * math.log(zeta);
}

/** A table [2, rows, R/2] from angle and logarithm of magnitude of every row and pair. */
export function tableOf(
  rows: number,
  pairs: number,
  turn: (row: number, j: number) => readonly [angle: number, magnitude: number],
  place: { dtype?: Dtype; device?: DeviceName } = {},
): Tensor {
  const values = new Float64Array(2 * rows * pairs);
  for (let row = 0; row < rows; row++)
    for (let j = 0; j < pairs; j++) {
      const [angle, magnitude] = turn(row, j);
      values[row * pairs + j] = magnitude * math.cos(angle);
      values[(rows + row) * pairs + j] = magnitude * math.sin(angle);
    }
  return tensor(values, { shape: [2, rows, pairs], dtype: place.dtype ?? 'f32', device: place.device });
}

function checkXPos({ side, scaleBase = 512, centre = 0 }: XPos): void {
  if (side !== 'query' && side !== 'key')
    throw new ArgumentError(`rotaryTable: side of xpos must be query or key, got ${show(side)}`);
  if (!(scaleBase > 0 && scaleBase < Infinity))
    throw new ArgumentError(
      `rotaryTable: scaleBase of xpos must be a positive number, got ${show(scaleBase)}`,
    );
  if (!Number.isFinite(centre))
    throw new ArgumentError(`rotaryTable: centre of xpos must be a number, got ${show(centre)}`);
}

/**
 * Cosines and sines of all positions below `length`, [2, length, R/2], times the attention factor and the decay of
 * xPos: what `rotary` reads. Make it once a model; angles and magnitudes are f64 before they are rounded to `dtype`.
 * @throws ArgumentError unless length is a positive integer and frequencies and xpos are of their kind
 */
export function rotaryTable(frequencies: RotaryFrequencies, options: RotaryTableOptions): Tensor {
  const { length, xpos, inverse = false, dtype, device } = options;
  if (!(Number.isInteger(length) && length > 0))
    throw new ArgumentError(`rotaryTable: length must be a positive integer, got ${show(length)}`);
  if (!(frequencies?.frequencies?.length > 0 && frequencies.attentionFactor > 0))
    throw new ArgumentError(
      `rotaryTable: frequencies must come from rotaryFrequencies, got ${show(frequencies)}`,
    );
  if (xpos) checkXPos(xpos);
  const { frequencies: f, attentionFactor } = frequencies;
  const centre = xpos?.centre ?? Math.ceil(length / 2);
  const turn = (n: number, j: number) => {
    const decay = xpos ? math.exp(xposLogarithm(f.length, j, n - centre, xpos)) : 1;
    const magnitude = attentionFactor * decay;
    return inverse ? ([-n * f[j], 1 / magnitude] as const) : ([n * f[j], magnitude] as const);
  };
  return tableOf(length, f.length, turn, { dtype, device });
}
