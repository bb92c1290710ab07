/** Power laws of one variable, with and without an offset. */
import { exp, log } from '../../core/math.js';
import { defineLaw, type Law, type LawInput, type PublishedConstants } from './law.js';
import { range, separableStarts } from './starts.js';
import { C, D, LOSS, logSumExp, N, PF_DAYS } from './terms.js';

const ANY: LawInput = {
  name: 'x',
  doc: 'the variable that grows',
  unit: 'any',
  least: Number.MIN_VALUE,
  most: Number.MAX_VALUE,
};

/** L = (xc / x)^alpha: internal (ln xc, alpha). */
function purePower(
  id: string,
  summary: string,
  input: LawInput,
  response: LawInput,
  names: readonly [string, string],
  sources: readonly string[],
  published: readonly PublishedConstants[],
): Law {
  const [scale, exponent] = names;
  const x = input.name;
  return defineLaw({
    id,
    summary,
    equation: `${response.name} = (${scale} / ${x})^${exponent}`,
    sources,
    inputs: [input],
    response,
    parameters: [
      {
        name: scale,
        doc: `${x} at which ${response.name} would be 1`,
        scale: 'log',
        role: 'scale',
        exponent,
      },
      { name: exponent, doc: 'exponent', scale: 'linear', role: 'exponent' },
    ],
    width: 1,
    prepare: (point, out, at) => {
      out[at] = log(point[x]);
    },
    logPredict: (theta, rows, at, gradient) => {
      const distance = theta[0] - rows[at];
      if (gradient) {
        gradient[0] = theta[1];
        gradient[1] = distance;
      }
      return theta[1] * distance;
    },
    // ln L = alpha ln xc - alpha ln x is a straight line.
    starts: (rows, values) =>
      separableStarts(rows, values, {
        grid: [[]],
        width: 1,
        signed: true,
        terms: (_, r, at) => [1, -r[at]],
        target: (value) => ({ value: log(value), weight: 1 }),
        toTheta: (c) => Float64Array.of(c[0] / (Math.abs(c[1]) > 1e-9 ? c[1] : 1e-9), c[1]),
      }),
    published,
  });
}

const KAPLAN = 'kaplan-scaling-laws, arXiv 2001.08361v1';
const kaplan = (
  id: string,
  summary: string,
  input: LawInput,
  names: readonly [string, string],
  place: string,
  values: readonly [number, number],
): Law =>
  purePower(
    id,
    summary,
    input,
    LOSS,
    names,
    [`${KAPLAN}, ${place}`],
    [
      {
        name: 'paper',
        source: `${KAPLAN}, ${place}`,
        values: { [names[0]]: values[0], [names[1]]: values[1] },
      },
    ],
  );

/** L(x) = (xc / x)^alpha for any x. */
export const powerLaw = purePower(
  'power',
  'power law of one variable without offset',
  ANY,
  LOSS,
  ['xc', 'alpha'],
  [KAPLAN],
  [],
);

/** L(N) = (Nc / N)^aN; N without embeddings, data not limiting. */
export const kaplanN = kaplan(
  'kaplan-n',
  'loss of converged models by size (without embeddings), data not limiting',
  N,
  ['Nc', 'alphaN'],
  'equation 1.1',
  [8.8e13, 0.076],
);
/** L(D) = (Dc / D)^aD; large models, stopped early. */
export const kaplanD = kaplan(
  'kaplan-d',
  'loss of large models by tokens, with early stopping',
  D,
  ['Dc', 'alphaD'],
  'equation 1.2',
  [5.4e13, 0.095],
);
/** L(C) at a fixed batch, C in PF-days. */
export const kaplanC = kaplan(
  'kaplan-c',
  'loss by compute at a fixed batch size, compute in PF-days',
  PF_DAYS,
  ['Cc', 'alphaC'],
  'table 5, C with naive allocation',
  [1.6e7, 0.057],
);
/** L(Cmin): compute-efficient batch, C in PF-days. */
export const kaplanCmin = kaplan(
  'kaplan-cmin',
  'loss by the least compute (far below the critical batch size), compute in PF-days',
  PF_DAYS,
  ['Cc', 'alphaC'],
  'equation 1.3',
  [3.1e8, 0.05],
);

/** Bcrit(L) = Bstar / L^(1 / alphaB), written as a power law in L. */
export const criticalBatch = defineLaw({
  id: 'kaplan-critical-batch',
  summary: 'critical batch size by loss',
  equation: 'batch = Bstar loss^(-1 / alphaB)',
  sources: [`${KAPLAN}, equation 1.4`],
  inputs: [LOSS],
  response: { name: 'batch', doc: 'critical batch size', unit: 'tokens', least: 1, most: 1e12 },
  parameters: [
    { name: 'Bstar', doc: 'critical batch at a loss of 1', scale: 'log', role: 'scale' },
    { name: 'alphaB', doc: 'exponent', scale: 'log', role: 'exponent' },
  ],
  width: 1,
  prepare: (point, out, at) => {
    out[at] = log(point.loss);
  },
  logPredict: (theta, rows, at, gradient) => {
    const inverse = exp(-theta[1]);
    if (gradient) {
      gradient[0] = 1;
      gradient[1] = rows[at] * inverse;
    }
    return theta[0] - rows[at] * inverse;
  },
  starts: (rows, values) =>
    separableStarts(rows, values, {
      grid: [[]],
      width: 1,
      signed: true,
      terms: (_, r, at) => [1, -r[at]],
      target: (value) => ({ value: log(value), weight: 1 }),
      toTheta: (c) => Float64Array.of(c[0], -log(Math.max(c[1], 1e-3))),
    }),
  published: [{ name: 'paper', source: `${KAPLAN}, equation 1.4`, values: { Bstar: 2.1e8, alphaB: 0.21 } }],
});

/** L = E + A / x^alpha: internal (ln E, ln A, alpha). */
function offsetPower(id: string, summary: string, input: LawInput): Law {
  const z = new Float64Array(2);
  const shares = new Float64Array(2);
  return defineLaw({
    id,
    summary,
    equation: `loss = E + A / ${input.name}^alpha`,
    sources: [
      'Henighan et al. 2020, arXiv 2010.14701v2, equation 1.1; chinchilla, arXiv 2203.15556v1, section 3',
    ],
    inputs: [input],
    response: LOSS,
    parameters: [
      { name: 'E', doc: 'what remains for ever', scale: 'log', role: 'offset' },
      { name: 'A', doc: 'scale of the part that falls', scale: 'log', role: 'scale', exponent: 'alpha' },
      { name: 'alpha', doc: 'exponent', scale: 'linear', role: 'exponent' },
    ],
    width: 1,
    prepare: (point, out, at) => {
      out[at] = log(point[input.name]);
    },
    logPredict: (theta, rows, at, gradient) => {
      z[0] = theta[0];
      z[1] = theta[1] - theta[2] * rows[at];
      const value = logSumExp(z, shares);
      if (gradient) {
        gradient[0] = shares[0];
        gradient[1] = shares[1];
        gradient[2] = -shares[1] * rows[at];
      }
      return value;
    },
    starts: (rows, values) =>
      separableStarts(rows, values, {
        grid: range(0.03, 1.5, 25).map((alpha) => [alpha]),
        width: 1,
        terms: ([alpha], r, at) => [1, exp(-alpha * (r[at] - rows[0]))],
        toTheta: (c, [alpha]) => Float64Array.of(log(c[0]), log(c[1]) + alpha * rows[0], alpha),
      }),
    published: [],
  });
}

export const powerOffset = offsetPower('power-offset', 'power law of one variable with an offset', ANY);
export const powerOffsetN = offsetPower('power-offset-n', 'power law with an offset in model size', N);
export const powerOffsetD = offsetPower('power-offset-d', 'power law with an offset in tokens', D);
export const powerOffsetC = offsetPower('power-offset-c', 'power law with an offset in compute (FLOP)', C);
