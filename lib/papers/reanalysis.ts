/** Experiments on published data: nothing is trained, all sizes do the same work. */
import type { Curve, Measurement } from './ledger/types.js';
import type { Experiment, Plain, Setup, TaskContext } from './paper.js';
import type { FitResult } from '../families/scaling-laws/index.js';

/** What an analysis found. */
export interface Reanalysed {
  measurements: { readonly [claim: string]: readonly Measurement[] };
  config?: { readonly [name: string]: Plain };
  curves?: readonly Curve[];
}

/** One analysis of published data, or of constants alone when it names no data set. */
export interface Reanalysis extends Pick<Experiment, 'id' | 'about' | 'claims' | 'datasets'> {
  /** Expected on one core. */
  seconds: number;
  analyse: (setup: Setup, context: TaskContext) => Promise<Reanalysed>;
}

/** The experiment of an analysis: one part with one task. */
export function reanalysis({ seconds, analyse, ...rest }: Reanalysis): Experiment {
  return {
    ...rest,
    parts: (setup) => [
      {
        name: 'analysis',
        about: rest.about,
        isolated: false,
        seconds: () => seconds,
        tasks: () => [{ id: 'analysis', inputs: {} }],
        run: async (_, context) => (await analyse(setup, context)) as unknown as Plain,
      },
    ],
    collect: (results) => {
      const found = results['analysis']?.[0]?.result as unknown as Reanalysed | undefined;
      return {
        config: found?.config ?? {},
        measurements: found?.measurements ?? {},
        curves: found?.curves ?? [],
      };
    },
  };
}

/** An estimate with the ends of its interval, as three measurements without seed. */
export function interval(arm: string, value: number, low: number, high: number): Measurement[] {
  return [
    { arm, value },
    { arm: `${arm}-low`, value: low },
    { arm: `${arm}-high`, value: high },
  ];
}

/** A fit in a few numbers for the run file. */
export function fitSummary(fit: FitResult): Plain {
  const { law, points, raw, objective, converged, confidence, intervals, bootstrap, flags } = fit;
  return {
    law,
    points,
    parameters: raw,
    objective,
    converged,
    confidence,
    intervals,
    resamples: bootstrap?.resamples ?? 0,
    flags: flags.map(({ code, message }) => `${code}: ${message}`),
  };
}
