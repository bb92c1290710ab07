/** What a scaling law is: inputs, parameters, prediction with gradient, where to start a fit, published constants. */
import { ArgumentError, show } from '../../core/errors.js';
import { exp, log } from '../../core/math.js';

/** A column of numbers that a law reads. */
export interface LawInput {
  /** Short name: n, d, c, u, g, e, m, s, x, loss. */
  name: string;
  doc: string;
  unit: string;
  /** Numbers outside of this range are taken for wrong units. */
  least: number;
  most: number;
  /** Counts have no fraction; a fraction among small values gives wrong units away. */
  count?: boolean;
}

export interface LawParameter {
  name: string;
  doc: string;
  /** `log`: positive, fitted through its logarithm. */
  scale: 'log' | 'linear';
  /** An exponent must differ from zero to mean anything; an offset may vanish. */
  role: 'exponent' | 'scale' | 'offset' | 'other';
  /** Of an exponent that is negative where more is better; the others are positive there. */
  negative?: boolean;
  /** Of a scale: the exponent of its term; without it the scale means nothing. */
  exponent?: string;
}

/** Constants of a paper, with a value that they must give. */
export interface PublishedConstants {
  name: string;
  source: string;
  values: Readonly<Record<string, number>>;
}

/** Inputs of one prediction by name. */
export type Point = Readonly<Record<string, number>>;

export interface Law {
  id: string;
  summary: string;
  equation: string;
  sources: readonly string[];
  inputs: readonly LawInput[];
  /** What is predicted; a positive number. */
  response: LawInput;
  parameters: readonly LawParameter[];
  /** Numbers of a prepared point. */
  width: number;
  /** Writes the prepared point (mostly logarithms) to out[at ...]. */
  prepare(point: Point, out: Float64Array, at: number): void;
  /**
   * Natural logarithm of the prediction at a prepared point; writes its derivatives by the internal parameters
   * (logarithms where `scale` is log) when a gradient is given.
   */
  logPredict(theta: Float64Array, rows: Float64Array, at: number, gradient?: Float64Array): number;
  /** Internal parameters to start from: few good ones, from the data. */
  starts(rows: Float64Array, response: Float64Array): Float64Array[];
  /** A published grid of starts, where there is one. */
  grid?(): Float64Array[];
  published: readonly PublishedConstants[];
  /** Quantities made of the parameters that deserve an interval, e.g. the exponents of the optimum. */
  derived?: (values: Readonly<Record<string, number>>) => Record<string, number>;
}

const registry = new Map<string, Law>();

/** Registers a law under its id, so that workers can find it. */
export function defineLaw(law: Law): Law {
  if (registry.has(law.id)) throw new ArgumentError(`defineLaw: id must be new, got ${show(law.id)}`);
  registry.set(law.id, law);
  return law;
}

/** The law of an id. */
export function lawOf(id: string): Law {
  const law = registry.get(id);
  if (!law)
    throw new ArgumentError(`lawOf: id must be one of ${[...registry.keys()].join(', ')}, got ${show(id)}`);
  return law;
}

/** All laws, in the order of their definition. */
export function laws(): Law[] {
  return [...registry.values()];
}

/** Public values to internal ones. */
export function toInternal(law: Law, values: Readonly<Record<string, number>>): Float64Array {
  return Float64Array.from(law.parameters, ({ name, scale }) => {
    const value = values[name];
    if (!(scale === 'log' ? value > 0 && value < Infinity : Number.isFinite(value)))
      throw new ArgumentError(
        `${law.id}: ${name} must be ${scale === 'log' ? 'positive' : 'finite'}, got ${show(value)}`,
      );
    return scale === 'log' ? log(value) : value;
  });
}

/** Internal values to public ones. */
export function toPublic(law: Law, theta: ArrayLike<number>): Record<string, number> {
  return Object.fromEntries(
    law.parameters.map(({ name, scale }, i) => [name, scale === 'log' ? exp(theta[i]) : theta[i]]),
  );
}

/** Prepared points, one after the other. */
export function prepareRows(law: Law, points: readonly Point[]): Float64Array {
  const rows = new Float64Array(points.length * law.width);
  points.forEach((point, i) => {
    for (const { name } of law.inputs)
      if (!(point[name] > 0 && point[name] < Infinity))
        throw new ArgumentError(
          `${law.id}: ${name} must be positive and finite, got ${show(point[name])} at ${i}`,
        );
    law.prepare(point, rows, i * law.width);
  });
  return rows;
}

/** The law's value at a point for public parameter values. */
export function predictLaw(law: Law, values: Readonly<Record<string, number>>, point: Point): number {
  return exp(law.logPredict(toInternal(law, values), prepareRows(law, [point]), 0));
}
