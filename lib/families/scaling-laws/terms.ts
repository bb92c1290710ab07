/** Sums of powers in logarithms: ln(e^z0 + e^z1 + ...) without overflow, and its derivatives. */
import { exp, log } from '../../core/math.js';
import type { LawInput } from './law.js';

/** ln(sum e^z) with the largest term taken out; `shares` becomes each term's part of the sum. */
export function logSumExp(z: Float64Array, shares: Float64Array): number {
  let top = z[0];
  for (let i = 1; i < z.length; i++) if (z[i] > top) top = z[i];
  // Only -Infinity everywhere or NaN leads here with a top that is not finite.
  if (!(top > -Infinity && top < Infinity)) return shares.fill(NaN) && top;
  let sum = 0;
  for (let i = 0; i < z.length; i++) {
    shares[i] = z[i] === top ? 1 : exp(z[i] - top);
    sum += shares[i];
  }
  for (let i = 0; i < z.length; i++) shares[i] /= sum;
  return top + log(sum);
}

export const LOSS: LawInput = {
  name: 'loss',
  doc: 'cross-entropy, in nats or bits throughout',
  unit: 'per token',
  least: 1e-4,
  most: 20,
};
export const N: LawInput = {
  name: 'n',
  doc: 'parameters of the model',
  unit: 'parameters',
  least: 100,
  most: 1e14,
  count: true,
};
export const D: LawInput = {
  name: 'd',
  doc: 'tokens trained on',
  unit: 'tokens',
  least: 1e3,
  most: 1e16,
  count: true,
};
export const C: LawInput = { name: 'c', doc: 'training compute', unit: 'FLOP', least: 1e6, most: 1e30 };
export const PF_DAYS: LawInput = {
  name: 'c',
  doc: 'training compute',
  unit: 'PF-days (8.64e19 FLOP)',
  least: 1e-13,
  most: 1e8,
};
