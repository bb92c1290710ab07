/** Muennighoff et al. 2023: repeated tokens and surplus parameters lose their value exponentially. */
import { exp, log } from '../../core/math.js';
import { chinchilla } from './chinchilla.js';
import { defineLaw, type Law, type LawInput } from './law.js';
import { D, LOSS, logSumExp, N } from './terms.js';

const SOURCE = 'muennighoff, arXiv 2305.16264v4';
const UNIQUE: LawInput = {
  ...D,
  name: 'u',
  doc: 'unique tokens available; tokens beyond them repeat them',
};

const z = new Float64Array(3);
const shares = new Float64Array(3);
/** ln of the effective count, then its derivatives by ln(unique count) and ln R*. */
const effective = new Float64Array(3);

/**
 * x' = U (1 + R* (1 - e^(-R / R*))), R = max(x / U - 1, 0): ln x', and its derivatives by ln U and by ln R*.
 * U never exceeds x here.
 */
function saturate(logX: number, logU: number, logR: number): void {
  const repeats = Math.max(exp(logX - logU) - 1, 0);
  const R = exp(logR);
  const ratio = repeats / R;
  const decay = exp(-ratio);
  const gain = 1 + R * (1 - decay);
  effective[0] = logU + log(gain);
  // d repeats / d ln U = -(repeats + 1) where x > U.
  effective[1] = repeats > 0 ? 1 - (decay * (repeats + 1)) / gain : 1;
  effective[2] = (R * (1 - decay) - R * ratio * decay) / gain;
}

/**
 * L(N, D, U) = E + A / N'^alpha + B / D'^beta; internal (ln A, ln B, ln E, alpha, beta, ln R*_D, ln R*_N).
 * U_D = min(D, U); U_N = min(N, N_opt(U_D)) with N_opt(D) = (D G)^(beta/alpha) G, the size for which D tokens are
 * compute-optimal (G as in the compute-optimal frontier), so U_N itself depends on A, B, alpha and beta.
 */
export const dataConstrained: Law = defineLaw({
  id: 'data-constrained',
  summary: 'loss by size, tokens and unique tokens, when data is repeated',
  equation: "loss = E + A / N'^alpha + B / D'^beta; x' = U (1 + R (1 - e^(-(x / U - 1) / R))) for x = n, d",
  sources: [`${SOURCE}, equations 5 to 7 and appendix A`],
  inputs: [N, D, UNIQUE],
  response: LOSS,
  parameters: [
    ...chinchilla.parameters,
    {
      name: 'RD',
      doc: 'repetitions after which a token has lost 1 - 1/e of its value',
      scale: 'log',
      role: 'other',
    },
    { name: 'RN', doc: 'the same for surplus parameters', scale: 'log', role: 'other' },
  ],
  width: 3,
  prepare: (point, out, at) => {
    out[at] = log(point.n);
    out[at + 1] = log(point.d);
    out[at + 2] = log(Math.min(point.u, point.d));
  },
  logPredict: (theta, rows, at, gradient) => {
    const [a, b, e, alpha, beta] = theta;
    const [logN, logD, logU] = [rows[at], rows[at + 1], rows[at + 2]];
    const sum = alpha + beta;
    const g = (log(alpha) + a - log(beta) - b) / sum;
    const optimal = (beta / alpha) * (logU + g) + g;
    const limited = optimal < logN;
    const logUN = limited ? optimal : logN;
    saturate(logD, logU, theta[5]);
    const [D1, , dRD] = effective;
    saturate(logN, logUN, theta[6]);
    const [N1, dUN, dRN] = effective;
    z[0] = a - alpha * N1;
    z[1] = b - beta * D1;
    z[2] = e;
    const value = logSumExp(z, shares);
    if (gradient) {
      const byUN = limited ? -shares[0] * alpha * dUN : 0;
      // optimal = (beta/alpha) logU + (sum/alpha) g, and (sum/alpha) g = (ln alpha + a - ln beta - b) / alpha.
      gradient[0] = shares[0] + byUN / alpha;
      gradient[1] = shares[1] - byUN / alpha;
      gradient[2] = shares[2];
      gradient[3] = -shares[0] * N1 + (byUN * (1 - beta * logU - sum * g)) / (alpha * alpha);
      gradient[4] = -shares[1] * D1 + (byUN * (logU - 1 / beta)) / alpha;
      gradient[5] = -shares[1] * beta * dRD;
      gradient[6] = -shares[0] * alpha * dRN;
    }
    return value;
  },
  // As if nothing were repeated, from the points with the fewest repetitions, then several rates of decay.
  starts: (rows, values) => {
    const order = Array.from(values, (_, i) => i).sort(
      (i, j) => rows[3 * i + 1] - rows[3 * i + 2] - (rows[3 * j + 1] - rows[3 * j + 2]),
    );
    const fresh = order.filter((i, rank) => rank < 8 || rows[3 * i + 1] - rows[3 * i + 2] < 0.7);
    const plain = new Float64Array(fresh.length * 2);
    fresh.forEach((i, k) => plain.set(rows.subarray(3 * i, 3 * i + 2), 2 * k));
    const base = chinchilla
      .starts(
        plain,
        Float64Array.from(fresh, (i) => values[i]),
      )
      .slice(0, 3);
    return base.flatMap((start) =>
      [
        [15, 5],
        [4, 4],
        [50, 20],
      ].map(([RD, RN]) => Float64Array.of(...start, log(RD), log(RN))),
    );
  },
  published: [
    {
      name: 'paper',
      source: `${SOURCE}: fit on C4 in the authors' code, alpha and beta held equal`,
      values: {
        A: exp(6.255414),
        B: exp(7.3049974),
        E: exp(0.6254804),
        alpha: 0.3526596,
        beta: 0.3526596,
        RD: 15.387756,
        RN: 5.309743,
      },
    },
  ],
});
