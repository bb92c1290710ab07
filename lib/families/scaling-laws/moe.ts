/** Mixtures of experts: granularity of experts (Krajewski et al. 2024), number of experts (Clark et al. 2022). */
import { exp, log } from '../../core/math.js';
import { defineLaw, type Law, type LawInput } from './law.js';
import { product, separableStarts } from './starts.js';
import { D, LOSS, logSumExp, N } from './terms.js';

const FINE = 'krajewski, arXiv 2402.07871v1';
const ROUTED = 'clark, arXiv 2202.01169v2';
const GRANULARITY: LawInput = {
  name: 'g',
  doc: 'granularity: width of a dense feed-forward layer by the width of an expert',
  unit: '1',
  least: 1,
  most: 1e4,
};
const EXPERTS: LawInput = { name: 'e', doc: 'experts a layer', unit: '1', least: 1, most: 1e5, count: true };

const z = new Float64Array(4);
const shares = new Float64Array(4);

/** L(N, D, G) = c + (g / G^gamma + a) / N^alpha + b / D^beta; internal (ln c, ln g, ln a, ln b, alpha, beta, gamma). */
export const moeFineGrained: Law = defineLaw({
  id: 'moe-fine-grained',
  summary: 'loss of mixtures of experts by size, tokens and granularity',
  equation: 'loss = c + (g / G^gamma + a) / n^alpha + b / d^beta, G the column g',
  sources: [`${FINE}, equation 9`],
  inputs: [N, D, GRANULARITY],
  response: LOSS,
  parameters: [
    { name: 'c', doc: 'what remains for ever', scale: 'log', role: 'offset' },
    { name: 'g', doc: 'scale of granularity', scale: 'log', role: 'scale', exponent: 'gamma' },
    { name: 'a', doc: 'scale of size', scale: 'log', role: 'scale', exponent: 'alpha' },
    { name: 'b', doc: 'scale of data', scale: 'log', role: 'scale', exponent: 'beta' },
    { name: 'alpha', doc: 'exponent of size', scale: 'linear', role: 'exponent' },
    { name: 'beta', doc: 'exponent of data', scale: 'linear', role: 'exponent' },
    { name: 'gamma', doc: 'exponent of granularity', scale: 'linear', role: 'exponent' },
  ],
  width: 3,
  prepare: (point, out, at) => {
    out[at] = log(point.n);
    out[at + 1] = log(point.d);
    out[at + 2] = log(point.g);
  },
  logPredict: (theta, rows, at, gradient) => {
    const [c, g, a, b, alpha, beta, gamma] = theta;
    z[0] = c;
    z[1] = g - gamma * rows[at + 2] - alpha * rows[at];
    z[2] = a - alpha * rows[at];
    z[3] = b - beta * rows[at + 1];
    const value = logSumExp(z, shares);
    if (gradient) {
      for (let i = 0; i < 4; i++) gradient[i] = shares[i];
      gradient[4] = -(shares[1] + shares[2]) * rows[at];
      gradient[5] = -shares[3] * rows[at + 1];
      gradient[6] = -shares[1] * rows[at + 2];
    }
    return value;
  },
  starts: (rows, values) => {
    const [n0, d0] = [rows[0], rows[1]];
    return separableStarts(rows, values, {
      grid: product([0.08, 0.12, 0.2, 0.3, 0.45], [0.08, 0.15, 0.25, 0.4], [0.3, 0.6, 1.2]),
      width: 3,
      terms: ([alpha, beta, gamma], r, at) => {
        const size = exp(-alpha * (r[at] - n0));
        return [1, size * exp(-gamma * r[at + 2]), size, exp(-beta * (r[at + 1] - d0))];
      },
      toTheta: (k, [alpha, beta, gamma]) =>
        Float64Array.of(
          log(k[0]),
          log(k[1]) + alpha * n0,
          log(k[2]) + alpha * n0,
          log(k[3]) + beta * d0,
          alpha,
          beta,
          gamma,
        ),
    });
  },
  published: [
    {
      name: 'paper',
      source: `${FINE}, table 2`,
      values: { c: 0.47, g: 2.1, a: 18.1, b: 30.8, alpha: 0.115, beta: 0.147, gamma: 0.58 },
    },
  ],
});

const LN10 = 2.302585092994046;

/**
 * 1/E^ = 1 / (E - 1 + 1 / (1/Estart - 1/Emax)) + 1/Emax: ln E^, and by reference its derivatives by ln Estart, ln Emax.
 */
function effectiveExperts(experts: number, start: number, most: number, slopes: Float64Array): number {
  const gap = 1 / start - 1 / most;
  const shifted = experts - 1 + 1 / gap;
  const inverse = 1 / shifted + 1 / most;
  const byGap = 1 / (shifted * shifted * gap * gap);
  // d inverse / d Estart = byGap * (-1/Estart^2), d inverse / d Emax = byGap / Emax^2 - 1 / Emax^2.
  slopes[0] = byGap / start / inverse;
  slopes[1] = (1 - byGap) / most / inverse;
  return -log(inverse);
}

const slopes = new Float64Array(2);

/**
 * log10 L = a log10 N + b log10 E^ + c log10 N log10 E^ + d; internal (a, b, c, d, ln Estart, ln Emax). N is the size of
 * the dense model (parameters that work on a token), E the experts; E^ saturates at both ends.
 */
export const moeRouted: Law = defineLaw({
  id: 'moe-routed',
  summary: 'loss of routed models by dense size and number of experts',
  equation:
    'lg loss = a lg n + b lg E^ + c lg n lg E^ + d; 1/E^ = 1/(e - 1 + 1/(1/Estart - 1/Emax)) + 1/Emax',
  sources: [`${ROUTED}, equations 1 and 2, table 3`],
  inputs: [N, EXPERTS],
  response: LOSS,
  parameters: [
    { name: 'a', doc: 'exponent of size', scale: 'linear', role: 'exponent', negative: true },
    { name: 'b', doc: 'exponent of experts', scale: 'linear', role: 'exponent', negative: true },
    { name: 'c', doc: 'how gains of experts fade with size', scale: 'linear', role: 'other' },
    { name: 'd', doc: 'logarithm of the scale', scale: 'linear', role: 'other' },
    { name: 'Estart', doc: 'where experts begin to help', scale: 'log', role: 'other' },
    { name: 'Emax', doc: 'where they cease to', scale: 'log', role: 'other' },
  ],
  width: 2,
  prepare: (point, out, at) => {
    out[at] = log(point.n);
    out[at + 1] = point.e;
  },
  logPredict: (theta, rows, at, gradient) => {
    const [a, b, c, d] = theta;
    const [start, most] = [exp(theta[4]), exp(theta[5])];
    const experts = effectiveExperts(rows[at + 1], start, most, slopes);
    const logN = rows[at];
    if (gradient) {
      const byExperts = b + (c * logN) / LN10;
      gradient[0] = logN;
      gradient[1] = experts;
      gradient[2] = (logN * experts) / LN10;
      gradient[3] = LN10;
      gradient[4] = byExperts * slopes[0];
      gradient[5] = byExperts * slopes[1];
    }
    return a * logN + b * experts + (c * logN * experts) / LN10 + d * LN10;
  },
  starts: (rows, values) =>
    separableStarts(rows, values, {
      grid: product([1.2, 1.9, 3, 5], [50, 150, 300, 500, 2000]),
      width: 2,
      signed: true,
      terms: ([start, most], r, at) => {
        const experts = effectiveExperts(r[at + 1], start, most, slopes);
        return [r[at], experts, (r[at] * experts) / LN10, LN10];
      },
      target: (value) => ({ value: log(value), weight: 1 }),
      toTheta: (k, [start, most]) => Float64Array.of(k[0], k[1], k[2], k[3], log(start), log(most)),
    }),
  published: (
    [
      ['s-base', -0.082, -0.108, 0.009, 1.104, 1.847, 314.478],
      ['rl-r', -0.083, -0.126, 0.012, 1.111, 1.88, 469.982],
      ['hash', -0.087, -0.136, 0.012, 1.157, 4.175, 477.741],
    ] as const
  ).map(([name, a, b, c, d, Estart, Emax]) => ({
    name,
    source: `${ROUTED}, table 3`,
    values: { a, b, c, d, Estart, Emax },
  })),
});
