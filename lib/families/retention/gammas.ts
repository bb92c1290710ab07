/** RetNet's factors. */
import { ArgumentError, show } from '../../core/errors.js';
import * as math from '../../core/math.js';

/** Logarithms of RetNet's gammas, 1 - 2^(-5-h) for heads h = 0, 1, ... (retnet, arXiv 2307.08621v4, section 2.2). */
export function retentionLogGammas(heads: number): number[] {
  if (!Number.isInteger(heads) || heads < 1)
    throw new ArgumentError(`retentionLogGammas: heads must be a positive integer, got ${show(heads)}`);
  return Array.from({ length: heads }, (_, h) => math.log1p(-(2 ** (-5 - h))));
}
