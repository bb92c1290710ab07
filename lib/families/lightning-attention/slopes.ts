/**
 * Slopes s_h of lightning attention, lambda_h = e^{-s_h}. Three conventions with very different numbers:
 *
 *   lightningSlopes        s_h = 2^{-8 (h+1) / H}, times 1 - l / (L-1) + 1e-5   the authors' code (ALiBi's slopes)
 *   lightningPaperSlopes   s_h = (8 h / H) (1 - l / L)                          the paper; head 0 never forgets
 *   lightningRetnetSlopes  s_h = -log(1 - 2^{-5-h})                             RetNet's gammas
 *
 * Layer l of L counts from 0. With H = 4 and layer 0 of one: 0.25, 0.0625, 0.0156, 0.0039 against 0, 2, 4, 6.
 */
import { ArgumentError, show } from '../../core/errors.js';
import * as math from '../../core/math.js';

/** A layer and how many there are. */
export interface LayerPlace {
  layer: number;
  layers: number;
}

function checkHeads(where: string, heads: number): void {
  if (!Number.isInteger(heads) || heads < 1)
    throw new ArgumentError(`${where}: heads must be a positive integer, got ${show(heads)}`);
}

function checkPlace(where: string, { layer, layers }: LayerPlace): void {
  if (!Number.isInteger(layers) || layers < 1)
    throw new ArgumentError(`${where}: layers must be a positive integer, got ${show(layers)}`);
  if (!Number.isInteger(layer) || layer < 0 || layer >= layers)
    throw new ArgumentError(`${where}: layer must lie in [0, ${layers}), got ${show(layer)}`);
}

/** 2^{-8 (h+1) / n} for the largest power of two n <= H; the heads left over take every other slope of 2n heads. */
function alibi(heads: number): number[] {
  const n = 2 ** (31 - Math.clz32(heads));
  const row = (size: number) => Array.from({ length: size }, (_, h) => math.pow(2, (-8 * (h + 1)) / size));
  const between = row(2 * n).filter((_, h) => h % 2 === 0);
  return [...row(n), ...between].slice(0, heads);
}

/**
 * Slopes of the authors' code: ALiBi's, times 1 - l/(L-1) + 1e-5 with a place given (1 + 1e-5 for the only layer).
 * Source: the authors' package lightning-attention; ALiBi, arXiv 2108.12409v2, section 3.
 */
export function lightningSlopes(heads: number, place?: LayerPlace): number[] {
  checkHeads('lightningSlopes', heads);
  if (!place) return alibi(heads);
  checkPlace('lightningSlopes', place);
  const factor = 1 - (place.layers > 1 ? place.layer / (place.layers - 1) : 0) + 1e-5;
  return alibi(heads).map((s) => s * factor);
}

/** Slopes of the paper and of flash-linear-attention: (8h/H)(1 - l/L); those of layer 0 without a place. */
export function lightningPaperSlopes(heads: number, place: LayerPlace = { layer: 0, layers: 1 }): number[] {
  checkHeads('lightningPaperSlopes', heads);
  checkPlace('lightningPaperSlopes', place);
  const factor = 1 - place.layer / place.layers;
  return Array.from({ length: heads }, (_, h) => ((8 * h) / heads) * factor);
}

/** Slopes with RetNet's gammas, lambda_h = 1 - 2^{-5-h}; the layer plays no part. */
export function lightningRetnetSlopes(heads: number): number[] {
  checkHeads('lightningRetnetSlopes', heads);
  return Array.from({ length: heads }, (_, h) => -math.log1p(-(2 ** (-5 - h))));
}
