/** Gadre et al. 2024: loss by compute and by tokens a parameter; error of downstream tasks by loss. */
import { exp, log } from '../../core/math.js';
import { defineLaw, type Law, type LawInput } from './law.js';
import { product, range, separableStarts } from './starts.js';
import { C, LOSS, logSumExp } from './terms.js';

const SOURCE = 'gadre, arXiv 2403.08540v2';
const MULTIPLIER: LawInput = {
  name: 'm',
  doc: 'tokens a parameter, D / N',
  unit: 'tokens per parameter',
  least: 0.01,
  most: 1e7,
};

const z = new Float64Array(3);
const shares = new Float64Array(3);

/**
 * L(C, M) = E + (a M^eta + b M^-eta) C^-eta; internal (ln E, ln a, ln b, eta). It is L(N, D) with equal exponents
 * alpha = beta = 2 eta, N = (C / 6M)^(1/2), D = (C M / 6)^(1/2): a = A 6^eta, b = B 6^eta.
 */
export const overTraining: Law = defineLaw({
  id: 'over-training',
  summary: 'loss by compute and tokens a parameter, equal exponents',
  equation: 'loss = E + (a m^eta + b m^(-eta)) c^(-eta)',
  sources: [`${SOURCE}, equation 4`],
  inputs: [C, MULTIPLIER],
  response: LOSS,
  parameters: [
    { name: 'E', doc: 'what remains for ever', scale: 'log', role: 'offset' },
    { name: 'a', doc: 'scale of the part that size lowers', scale: 'log', role: 'scale', exponent: 'eta' },
    { name: 'b', doc: 'scale of the part that data lowers', scale: 'log', role: 'scale', exponent: 'eta' },
    { name: 'eta', doc: 'exponent of compute', scale: 'linear', role: 'exponent' },
  ],
  width: 2,
  prepare: (point, out, at) => {
    out[at] = log(point.c);
    out[at + 1] = log(point.m);
  },
  logPredict: (theta, rows, at, gradient) => {
    const [down, up] = [rows[at] - rows[at + 1], rows[at] + rows[at + 1]];
    z[0] = theta[0];
    z[1] = theta[1] - theta[3] * down;
    z[2] = theta[2] - theta[3] * up;
    const value = logSumExp(z, shares);
    if (gradient) {
      gradient[0] = shares[0];
      gradient[1] = shares[1];
      gradient[2] = shares[2];
      gradient[3] = -shares[1] * down - shares[2] * up;
    }
    return value;
  },
  starts: (rows, values) => {
    const [c0, m0] = [rows[0], rows[1]];
    return separableStarts(rows, values, {
      grid: range(0.03, 0.5, 25).map((eta) => [eta]),
      width: 2,
      terms: ([eta], r, at) => [
        1,
        exp(-eta * (r[at] - r[at + 1] - c0 + m0)),
        exp(-eta * (r[at] + r[at + 1] - c0 - m0)),
      ],
      toTheta: (c, [eta]) =>
        Float64Array.of(log(c[0]), log(c[1]) + eta * (c0 - m0), log(c[2]) + eta * (c0 + m0), eta),
    });
  },
  published: (
    [
      ['c4', 1.51, 141, 190, 0.121],
      ['redpajama', 1.84, 212, 367, 0.136],
      ['refinedweb', 1.73, 157, 246, 0.127],
    ] as const
  ).map(([name, E, a, b, eta]) => ({
    name,
    source: `${SOURCE}: training data ${name}, loss on C4; checked against the authors' models`,
    values: { E, a, b, eta },
  })),
});

/** Err(L) = eps - k e^(-gamma L); internal (ln eps, ln k, ln gamma). */
export const downstreamError: Law = defineLaw({
  id: 'downstream-error',
  summary: 'mean error of downstream tasks by loss',
  equation: 'error = eps - k e^(-gamma loss)',
  sources: [`${SOURCE}, equation 5`],
  inputs: [LOSS],
  response: { name: 'error', doc: 'mean top-1 error', unit: 'fraction', least: 1e-6, most: 1 },
  parameters: [
    { name: 'eps', doc: 'error of a model that knows nothing', scale: 'log', role: 'scale' },
    { name: 'k', doc: 'scale', scale: 'log', role: 'scale', exponent: 'gamma' },
    { name: 'gamma', doc: 'rate', scale: 'log', role: 'exponent' },
  ],
  width: 1,
  prepare: (point, out, at) => {
    out[at] = point.loss;
  },
  logPredict: (theta, rows, at, gradient) => {
    const eps = exp(theta[0]);
    const gamma = exp(theta[2]);
    const part = exp(theta[1] - gamma * rows[at]);
    const value = eps - part;
    if (gradient) {
      gradient[0] = eps / value;
      gradient[1] = -part / value;
      gradient[2] = (part * gamma * rows[at]) / value;
    }
    return value > 0 ? log(value) : NaN;
  },
  starts: (rows, values) =>
    separableStarts(rows, values, {
      grid: product(range(0.1, 3, 30)),
      width: 1,
      signed: true,
      terms: ([gamma], r, at) => [1, -exp(-gamma * (r[at] - rows[0]))],
      toTheta: (c, [gamma]) => Float64Array.of(log(c[0]), log(c[1]) + gamma * rows[0], log(gamma)),
    }),
  published: [],
});
