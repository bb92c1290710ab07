import { ArgumentError, show } from '../../core/errors.js';
import { pow } from '../../core/math.js';

/**
 * Slopes of ALiBi for H heads (Press et al. 2022, arXiv 2108.12409v2, section 3): 2^(-8 h / H), h = 1 .. H, where H is
 * a power of two. Otherwise, as the authors' code: those of the largest power of two P below H, then every other one of
 * 2 P heads.
 * @throws ArgumentError unless H is a positive integer
 */
export function alibiSlopes(heads: number): number[] {
  if (!Number.isInteger(heads) || heads < 1)
    throw new ArgumentError(`alibiSlopes: heads must be a positive integer, got ${show(heads)}`);
  const power = 2 ** Math.floor(Math.log2(heads));
  const first = Array.from({ length: power }, (_, h) => pow(2, (-8 * (h + 1)) / power));
  const rest = Array.from({ length: heads - power }, (_, h) => pow(2, (-8 * (2 * h + 1)) / (2 * power)));
  return [...first, ...rest];
}
