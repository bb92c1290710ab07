/** The compute-optimal frontier of L = E + A / N^alpha + B / D^beta under C = 6 N D, and its uncertainty. */
import { ArgumentError, FitError, show } from '../../core/errors.js';
import { exp, log, pow } from '../../core/math.js';
import { bisectRoot } from '../../core/optimize/index.js';

/** The constants of the law. */
export interface ChinchillaConstants {
  A: number;
  B: number;
  E: number;
  alpha: number;
  beta: number;
}

export interface Optimum {
  /** Parameters. */
  n: number;
  /** Tokens. */
  d: number;
  /** FLOP. */
  c: number;
  tokensPerParameter: number;
  loss: number;
}

/** FLOP of a training: 6 for each parameter and token. */
export const FLOP_PER_TOKEN_AND_PARAMETER = 6;

function check(name: string, constants: ChinchillaConstants, more: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries({ ...constants, ...more }))
    if (!(value > 0 && value < Infinity))
      throw new ArgumentError(`${name}: ${key} must be positive and finite, got ${show(value)}`);
}

/** Loss at a size and a number of tokens. */
export function chinchillaLoss(constants: ChinchillaConstants, n: number, d: number): number {
  check('chinchillaLoss', constants, { n, d });
  return constants.E + constants.A * pow(n, -constants.alpha) + constants.B * pow(d, -constants.beta);
}

/** How the optimum grows: N ~ C^a, D ~ C^b with a + b = 1. */
export function optimalExponents(constants: Pick<ChinchillaConstants, 'alpha' | 'beta'>): {
  a: number;
  b: number;
} {
  const sum = constants.alpha + constants.beta;
  return { a: constants.beta / sum, b: constants.alpha / sum };
}

/** ln G of the closed form: G = (alpha A / (beta B))^(1 / (alpha + beta)). */
export function logG({ A, B, alpha, beta }: Omit<ChinchillaConstants, 'E'>): number {
  return (log(alpha) + log(A) - log(beta) - log(B)) / (alpha + beta);
}

/**
 * Least loss for a budget: N = G (C/6)^(beta/(alpha+beta)), D = (C/6)^(alpha/(alpha+beta)) / G
 * (chinchilla, arXiv 2203.15556v1, equation 4).
 */
export function computeOptimal(constants: ChinchillaConstants, c: number): Optimum {
  check('computeOptimal', constants, { c });
  const { a, b } = optimalExponents(constants);
  const budget = log(c / FLOP_PER_TOKEN_AND_PARAMETER);
  const g = logG(constants);
  const n = exp(g + a * budget);
  const d = exp(b * budget - g);
  return { n, d, c, tokensPerParameter: d / n, loss: chinchillaLoss(constants, n, d) };
}

/** Least budget that reaches a loss; the frontier's loss falls with the budget, so the root is unique. */
export function computeForLoss(constants: ChinchillaConstants, loss: number): Optimum {
  check('computeForLoss', constants, { loss });
  if (!(loss > constants.E))
    throw new FitError(
      `computeForLoss: loss must be above E = ${constants.E}, which no budget passes, got ${loss}`,
    );
  const excess = (logC: number): number => computeOptimal(constants, exp(logC)).loss - loss;
  let [low, high] = [0, 50];
  while (excess(high) > 0 && high < 600) high += 50;
  while (excess(low) < 0 && low > -600) low -= 50;
  return computeOptimal(constants, exp(bisectRoot(excess, low, high)));
}

/** What a model costs over its life. Defaults: 6 N and 2 N FLOP a token, everything at the same price. */
export interface LifetimeCost {
  /** Tokens that the model will read and write in use. */
  inferenceTokens: number;
  /** Cost of a FLOP of training and of inference; default 1 and 1. */
  trainingPrice?: number;
  inferencePrice?: number;
}

export interface LifetimeOptimum extends Optimum {
  /** 6 N D and 2 N D_inf, times their prices. */
  trainingCost: number;
  inferenceCost: number;
  cost: number;
}

/**
 * Cheapest model of a given loss over its life: min 6 N D p + 2 N D_inf q with L(N, D) = loss
 * (Sardana and Frankle 2023, arXiv 2401.00448v2, equations 2 and 3). D is eliminated by the loss; with
 * u = A N^-alpha, v = loss - E - u, D = (B / v)^(1/beta), the derivative of the cost by ln N vanishes where
 * 6 p D (1 - alpha u / (beta v)) + 2 q D_inf = 0, whose left side rises with N.
 */
export function inferenceOptimal(
  constants: ChinchillaConstants,
  loss: number,
  cost: LifetimeCost,
): LifetimeOptimum {
  const { inferenceTokens, trainingPrice: p = 1, inferencePrice: q = 1 } = cost;
  check('inferenceOptimal', constants, { loss, p, q });
  if (!(inferenceTokens >= 0 && inferenceTokens < Infinity))
    throw new ArgumentError(
      `inferenceOptimal: inferenceTokens must be finite and not negative, got ${show(inferenceTokens)}`,
    );
  const { A, B, E, alpha, beta } = constants;
  if (!(loss > E))
    throw new FitError(
      `inferenceOptimal: loss must be above E = ${E}, which no model passes, got ${loss}; ask for a higher loss`,
    );
  const room = loss - E;
  // s = part of the room that size takes, in (0, 1): N = (A / (s room))^(1/alpha).
  const parts = (s: number): { n: number; d: number } => ({
    n: exp((log(A) - log(s * room)) / alpha),
    d: exp((log(B) - log((1 - s) * room)) / beta),
  });
  // Without inference alpha s = beta (1 - s); inference makes models smaller, s larger, never above 1.
  const slope = (s: number): number =>
    6 * p * parts(s).d * (1 - (alpha * s) / (beta * (1 - s))) + 2 * q * inferenceTokens;
  const free = beta / (alpha + beta);
  const s = inferenceTokens === 0 ? free : bisectRoot(slope, free, 1 - 1e-12);
  const { n, d } = parts(s);
  const trainingCost = p * 6 * n * d;
  const inferenceCost = q * 2 * n * inferenceTokens;
  return {
    n,
    d,
    c: 6 * n * d,
    tokensPerParameter: d / n,
    loss: chinchillaLoss(constants, n, d),
    trainingCost,
    inferenceCost,
    cost: trainingCost + inferenceCost,
  };
}
