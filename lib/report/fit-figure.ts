/** A fitted law as a figure: the runs where they may be shown, the law, its band, and the compute-optimal frontier. */
import {
  computeOptimal,
  lawOf,
  optimumWithInterval,
  predictLaw,
  predictWithBands,
  type ChinchillaConstants,
  type FitResult,
  type Point,
} from '../families/scaling-laws/index.js';
import type { Figure, Series } from './figure.js';

export interface FitFigureOptions {
  /** Draw the runs themselves; false for data that must not be handed on. */
  points: boolean;
  /** Runs that the fit has not seen, drawn apart when points are. */
  heldOut?: readonly { point: Point; value: number }[];
}

const PLACES = 25;

function spaced(low: number, high: number, count = PLACES): number[] {
  const ratio = Math.log(high / low);
  return Array.from({ length: count }, (_, i) => low * Math.exp((ratio * i) / (count - 1)));
}

const ends = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)];

/** Figure of a fit. Its numbers are fitted values only, unless `points` asks for the runs. */
export function fitFigure(fit: FitResult, options: FitFigureOptions): Figure {
  const law = lawOf(fit.law);
  const names = law.inputs.map(({ name }) => name);
  const plane = names[0] === 'n' && names[1] === 'd' && names.length === 2;
  const x = plane ? 'c' : names[0];
  const place = (point: Point): number => (plane ? 6 * point.n * point.d : point[x]);
  const series = plane ? planeSeries(fit) : curveSeries(fit);
  if (options.points) {
    series.unshift({
      name: 'runs',
      kind: 'points',
      x: fit.data.points.map(place),
      y: Array.from(fit.data.response),
    });
    if (options.heldOut?.length)
      series.push({
        name: 'held out',
        kind: 'points',
        x: options.heldOut.map(({ point }) => place(point)),
        y: options.heldOut.map(({ value }) => value),
      });
  }
  const unit = plane ? 'training compute C = 6 N D [FLOP]' : `${law.inputs[0].doc} [${law.inputs[0].unit}]`;
  const shown = options.points ? '' : ' Fitted values only: the runs may not be handed on.';
  return {
    id: `fit-${law.id}`,
    title: `${law.id}: ${law.equation}`,
    caption: `Fit to ${fit.points} runs, ${fit.converged ? 'converged' : `NOT converged (${fit.stopReason})`}.${shown}`,
    x: { label: unit, log: true },
    y: { label: `${law.response.name} [${law.response.unit}]` },
    series,
  };
}

/** Loss over compute for a few sizes, and the frontier with its band. */
function planeSeries(fit: FitResult): Series[] {
  const { points } = fit.data;
  const [least, most] = ends(points.map((p) => p.n));
  const [dLow, dHigh] = ends(points.map((p) => p.d));
  const series = spaced(least, most, 6).map((n): Series => {
    const d = spaced(dLow, dHigh);
    return {
      name: `N = ${n.toPrecision(2)}`,
      group: 'the law at six sizes',
      kind: 'line',
      faint: true,
      x: d.map((v) => 6 * n * v),
      y: d.map((v) => predictLaw(lawOf(fit.law), fit.raw, { n, d: v })),
    };
  });
  if (fit.law !== 'chinchilla' || !fit.converged) return series;
  const budgets = spaced(...ends(points.map((p) => 6 * p.n * p.d)), 12);
  const known = fit.draws.length >= 20 && fit.parameters.alpha !== null && fit.parameters.beta !== null;
  const optima = budgets.map((c) => ({
    value: computeOptimal(fit.raw as unknown as ChinchillaConstants, c).loss,
    interval: known ? optimumWithInterval(fit, c).loss : undefined,
  }));
  return [
    ...series,
    {
      name: 'compute-optimal',
      kind: 'line',
      x: budgets,
      y: optima.map(({ value }) => value),
      ...(known
        ? { low: optima.map((o) => o.interval?.low ?? NaN), high: optima.map((o) => o.interval?.high ?? NaN) }
        : {}),
    },
  ];
}

/** The law over its first input, the others at their middle, with the band of the law where there are resamples. */
function curveSeries(fit: FitResult): Series[] {
  const law = lawOf(fit.law);
  const { points } = fit.data;
  const [first, ...others] = law.inputs.map(({ name }) => name);
  const middle = (name: string): number =>
    points.map((p) => p[name]).sort((a, b) => a - b)[points.length >> 1];
  const rest = Object.fromEntries(others.map((name) => [name, middle(name)]));
  const x = spaced(...ends(points.map((p) => p[first])));
  const at = x.map((value) => ({ ...rest, [first]: value }));
  const bands = fit.converged && fit.draws.length >= 20 ? predictWithBands(fit, at) : undefined;
  return [
    {
      name: others.length > 0 ? `the law, ${others.join(' and ')} at their middle` : 'the law',
      kind: 'line',
      x,
      y: at.map((point) => predictLaw(law, fit.raw, point)),
      ...(bands ? { low: bands.map((b) => b.band.low), high: bands.map((b) => b.band.high) } : {}),
    },
  ];
}
