/** Kaplan et al. 2020: the joint laws of size and data, of size and steps, and what they recommend. */
import { ArgumentError, show } from '../../core/errors.js';
import { exp, log, pow } from '../../core/math.js';
import { defineLaw, type LawInput } from './law.js';
import { product, separableStarts } from './starts.js';
import { D, LOSS, logSumExp, N } from './terms.js';

const SOURCE = 'kaplan-scaling-laws, arXiv 2001.08361v1';
const STEPS: LawInput = {
  name: 's',
  doc: 'optimiser steps at a batch far above the critical one',
  unit: 'steps',
  least: 1,
  most: 1e10,
};

const z = new Float64Array(2);
const shares = new Float64Array(2);

/**
 * L(N, D) = [(Nc/N)^(aN/aD) + Dc/D]^aD, internal (ln Nc, ln Dc, aN, aD).
 * With p = aN/aD and z = (p (ln Nc - ln N), ln Dc - ln D): ln L = aD lse(z).
 */
export const kaplanND = defineLaw({
  id: 'kaplan-nd',
  summary: 'loss by size (without embeddings) and tokens, with early stopping',
  equation: 'loss = [(Nc / n)^(alphaN / alphaD) + Dc / d]^alphaD',
  sources: [`${SOURCE}, equation 1.5`],
  inputs: [N, D],
  response: LOSS,
  parameters: [
    { name: 'Nc', doc: 'scale of size', scale: 'log', role: 'scale', exponent: 'alphaN' },
    { name: 'Dc', doc: 'scale of data', scale: 'log', role: 'scale', exponent: 'alphaD' },
    { name: 'alphaN', doc: 'exponent of size', scale: 'linear', role: 'exponent' },
    { name: 'alphaD', doc: 'exponent of data', scale: 'linear', role: 'exponent' },
  ],
  width: 2,
  prepare: (point, out, at) => {
    out[at] = log(point.n);
    out[at + 1] = log(point.d);
  },
  logPredict: (theta, rows, at, gradient) => {
    const [aN, aD] = [theta[2], theta[3]];
    const reach = theta[0] - rows[at];
    z[0] = (aN / aD) * reach;
    z[1] = theta[1] - rows[at + 1];
    const sum = logSumExp(z, shares);
    if (gradient) {
      gradient[0] = aN * shares[0];
      gradient[1] = aD * shares[1];
      gradient[2] = shares[0] * reach;
      gradient[3] = sum - shares[0] * z[0];
    }
    return aD * sum;
  },
  // L^(1/aD) is linear in Nc^(aN/aD) and Dc once the exponents are fixed.
  starts: (rows, values) => {
    const [n0, d0] = [rows[0], rows[1]];
    return separableStarts(rows, values, {
      grid: product([0.04, 0.07, 0.1, 0.15, 0.25, 0.4], [0.04, 0.07, 0.1, 0.15, 0.25, 0.4]),
      width: 2,
      terms: ([aN, aD], r, at) => [exp((-aN / aD) * (r[at] - n0)), exp(d0 - r[at + 1])],
      target: (value, [, aD]) => {
        const root = pow(value, 1 / aD);
        return { value: root, weight: 1 / (root * root) };
      },
      toTheta: (c, [aN, aD]) => Float64Array.of((log(c[0]) * aD) / aN + n0, log(c[1]) + d0, aN, aD),
    });
  },
  published: [
    {
      name: 'paper',
      source: `${SOURCE}, table 2`,
      values: { Nc: 6.4e13, Dc: 1.8e13, alphaN: 0.076, alphaD: 0.103 },
    },
  ],
});

/** L(N, Smin) = (Nc/N)^aN + (Sc/Smin)^aS, internal (ln Nc, ln Sc, aN, aS). */
export const kaplanSteps = defineLaw({
  id: 'kaplan-steps',
  summary: 'loss by size (without embeddings) and least number of steps',
  equation: 'loss = (Nc / n)^alphaN + (Sc / s)^alphaS',
  sources: [`${SOURCE}, equation 1.6`],
  inputs: [N, STEPS],
  response: LOSS,
  parameters: [
    { name: 'Nc', doc: 'scale of size', scale: 'log', role: 'scale', exponent: 'alphaN' },
    { name: 'Sc', doc: 'scale of steps', scale: 'log', role: 'scale', exponent: 'alphaS' },
    { name: 'alphaN', doc: 'exponent of size', scale: 'linear', role: 'exponent' },
    { name: 'alphaS', doc: 'exponent of steps', scale: 'linear', role: 'exponent' },
  ],
  width: 2,
  prepare: (point, out, at) => {
    out[at] = log(point.n);
    out[at + 1] = log(point.s);
  },
  logPredict: (theta, rows, at, gradient) => {
    const [rn, rs] = [theta[0] - rows[at], theta[1] - rows[at + 1]];
    z[0] = theta[2] * rn;
    z[1] = theta[3] * rs;
    const value = logSumExp(z, shares);
    if (gradient) {
      gradient[0] = shares[0] * theta[2];
      gradient[1] = shares[1] * theta[3];
      gradient[2] = shares[0] * rn;
      gradient[3] = shares[1] * rs;
    }
    return value;
  },
  starts: (rows, values) => {
    const [n0, s0] = [rows[0], rows[1]];
    return separableStarts(rows, values, {
      grid: product([0.04, 0.07, 0.1, 0.15, 0.25, 0.4], [0.3, 0.5, 0.7, 0.9, 1.2]),
      width: 2,
      terms: ([aN, aS], r, at) => [exp(-aN * (r[at] - n0)), exp(-aS * (r[at + 1] - s0))],
      toTheta: (c, [aN, aS]) => Float64Array.of(log(c[0]) / aN + n0, log(c[1]) / aS + s0, aN, aS),
    });
  },
  published: [
    {
      name: 'paper',
      source: `${SOURCE}, table 3`,
      values: { Nc: 6.5e13, Sc: 2.1e3, alphaN: 0.077, alphaS: 0.76 },
    },
  ],
});

function requirePositive(name: string, values: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(values))
    if (!(value > 0 && value < Infinity))
      throw new ArgumentError(`${name}: ${key} must be positive and finite, got ${show(value)}`);
}

/** Bcrit(L) = 2.1e8 L^(-1/0.21) tokens (equation 1.4). */
export function kaplanCriticalBatch(loss: number): number {
  requirePositive('kaplanCriticalBatch', { loss });
  return 2.1e8 * pow(loss, -1 / 0.21);
}

/** Least steps and least compute of a run of `steps` steps at batch `batch` (tokens): equations 5.4 and 5.5. */
export function kaplanLeast(run: { steps: number; compute: number; batch: number; loss: number }): {
  steps: number;
  compute: number;
} {
  requirePositive('kaplanLeast', run);
  const critical = kaplanCriticalBatch(run.loss);
  return { steps: run.steps / (1 + critical / run.batch), compute: run.compute / (1 + run.batch / critical) };
}

/** What to do with least compute C (PF-days), equation 1.8 and table 6: size, batch (tokens), steps, tokens. */
export function kaplanOptimal(compute: number): { n: number; batch: number; steps: number; d: number } {
  requirePositive('kaplanOptimal', { compute });
  return {
    n: 1.3e9 * pow(compute, 0.73),
    batch: 2.0e6 * pow(compute, 0.24),
    steps: 5.4e3 * pow(compute, 0.03),
    d: 2e10 * pow(compute, 0.27),
  };
}

/** Tokens that keep a model of N parameters from overfitting: about 5e3 N^0.74 (equation 4.4). */
export function kaplanEnoughData(n: number): number {
  requirePositive('kaplanEnoughData', { n });
  return 5e3 * pow(n, 0.74);
}
