/** Hoffmann et al. 2022, approach 3: L(N, D) = E + A / N^alpha + B / D^beta. */
import { exp, log } from '../../core/math.js';
import { optimalExponents } from './frontier.js';
import { defineLaw, type Law } from './law.js';
import { product, range, separableStarts } from './starts.js';
import { D, LOSS, N } from './terms.js';

/** Internal (ln A, ln B, ln E, alpha, beta): ln L = lse(a - alpha ln N, b - beta ln D, e). */
export const chinchilla: Law = defineLaw({
  id: 'chinchilla',
  summary: 'loss by size and tokens: what remains, and two parts that fall',
  equation: 'loss = E + A / n^alpha + B / d^beta',
  sources: ['chinchilla, arXiv 2203.15556v1, equations 2 and 3, appendix D.3'],
  inputs: [N, D],
  response: LOSS,
  parameters: [
    { name: 'A', doc: 'scale of the part that size lowers', scale: 'log', role: 'scale', exponent: 'alpha' },
    { name: 'B', doc: 'scale of the part that data lowers', scale: 'log', role: 'scale', exponent: 'beta' },
    { name: 'E', doc: 'what remains for ever', scale: 'log', role: 'offset' },
    { name: 'alpha', doc: 'exponent of size', scale: 'linear', role: 'exponent' },
    { name: 'beta', doc: 'exponent of data', scale: 'linear', role: 'exponent' },
  ],
  width: 2,
  prepare: (point, out, at) => {
    out[at] = log(point.n);
    out[at + 1] = log(point.d);
  },
  // The inner loop of every fit, so without arrays; the largest term needs no exponential.
  logPredict: (theta, rows, at, gradient) => {
    const logN = rows[at];
    const logD = rows[at + 1];
    const z0 = theta[0] - theta[3] * logN;
    const z1 = theta[1] - theta[4] * logD;
    const z2 = theta[2];
    const top = z0 > z1 ? (z0 > z2 ? z0 : z2) : z1 > z2 ? z1 : z2;
    const e0 = z0 === top ? 1 : exp(z0 - top);
    const e1 = z1 === top ? 1 : exp(z1 - top);
    const e2 = z2 === top ? 1 : exp(z2 - top);
    const sum = e0 + e1 + e2;
    if (gradient) {
      const share = 1 / sum;
      gradient[0] = e0 * share;
      gradient[1] = e1 * share;
      gradient[2] = e2 * share;
      gradient[3] = -gradient[0] * logN;
      gradient[4] = -gradient[1] * logD;
    }
    return top + log(sum);
  },
  starts: (rows, values) => {
    const [n0, d0] = [rows[0], rows[1]];
    const exponents = [...range(0.1, 0.8, 8), 1, 1.3];
    return separableStarts(rows, values, {
      grid: product(exponents, exponents),
      width: 2,
      terms: ([alpha, beta], r, at) => [exp(-alpha * (r[at] - n0)), exp(-beta * (r[at + 1] - d0)), 1],
      toTheta: (c, [alpha, beta]) =>
        Float64Array.of(log(c[0]) + alpha * n0, log(c[1]) + beta * d0, log(c[2]), alpha, beta),
    });
  },
  grid: () =>
    product(range(0, 25, 6), range(0, 25, 6), range(-1, 1, 5), range(0, 2, 5), range(0, 2, 5)).map((start) =>
      Float64Array.from(start),
    ),
  derived: (values) => optimalExponents({ alpha: values.alpha, beta: values.beta }),
  published: [
    {
      name: 'tex',
      source: 'chinchilla, arXiv 2203.15556v1: unrounded constants in a comment of the TeX source',
      values: {
        A: exp(6.0073404),
        B: exp(6.0179186),
        E: exp(0.5267228),
        alpha: 0.33917084,
        beta: 0.2849083,
      },
    },
    {
      name: 'paper',
      source: 'chinchilla, arXiv 2203.15556v1, equation 10: rounded, not for computing optima',
      values: { A: 406.4, B: 410.7, E: 1.69, alpha: 0.34, beta: 0.28 },
    },
    {
      name: 'epoch',
      source:
        "Besiroglu et al. 2024, arXiv 2404.10102v2: constants as the authors' notebook prints them (table 1 rounds them); 240 points read off a figure of the paper",
      values: { A: 482.00572, B: 2085.4342, E: 1.81686, alpha: 0.34781, beta: 0.36585 },
    },
  ],
});
