/** From measurements to an outcome, one function for each kind of analysis. Everything is exact in the seeds given. */
import { exp, log } from '../../core/math.js';
import { logLogSlope } from '../../core/slopes.js';
import {
  median,
  pairedDifference,
  tInterval,
  welchDifference,
  type Interval,
} from '../../core/statistics.js';
import { checkPredicate } from './predicates.js';
import type { Analysis, Measurement, Region, Thresholds } from './types.js';

/** Outcome of an analysis with the sentence that explains it. */
export interface Finding {
  outcome: 'supports' | 'refutes' | 'inconclusive';
  why: string;
  estimate?: number;
  interval?: { low: number; high: number; confidence: number };
  /** Seeds that took part; 0 for an exact analysis. */
  seeds: number;
  /** Distance of the estimate from the nearest threshold in half-widths of the interval; Infinity when exact. */
  clearance: number;
  /** Measurements that the analysis needs are absent (not: not finite). */
  missing?: boolean;
}

const inconclusive = (why: string): Finding => ({ outcome: 'inconclusive', why, seeds: 0, clearance: 0 });
const missing = (why: string): Finding => ({ ...inconclusive(why), missing: true });

/** A number for a sentence. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-3)
    ? value.toExponential(2)
    : String(Number(value.toPrecision(4)));
}

/** Runs an analysis over the measurements of the reporting seeds. */
export function analyse(
  analysis: Analysis,
  measurements: readonly Measurement[],
  seeds: readonly number[],
): Finding {
  switch (analysis.kind) {
    case 'predicate':
      return checkPredicate(analysis.arm, analysis.predicate, measurements);
    case 'value':
      return valueFinding(analysis, measurements, seeds);
    case 'interval':
      return intervalFinding(analysis, measurements, seeds);
    case 'slope':
      return slopeFinding(analysis, measurements, seeds);
    case 'difference':
      return differenceFinding(analysis, measurements, seeds);
    case 'ordering':
      return orderingFinding(analysis, measurements, seeds);
    case 'all':
      return allFinding(analysis.of.map((part) => analyse(part, measurements, seeds)));
    default:
      return analysis satisfies never;
  }
}

function allFinding(parts: Finding[]): Finding {
  const refuting = parts.find((part) => part.outcome === 'refutes');
  const open = parts.find((part) => part.outcome === 'inconclusive');
  const seeds = Math.min(...parts.map((part) => (part.clearance === Infinity ? Infinity : part.seeds)));
  const clearance = Math.min(...parts.map((part) => part.clearance));
  const absent = parts.some((part) => part.missing === true);
  const shared = { seeds: seeds === Infinity ? 0 : seeds, clearance, missing: absent };
  // A refutation stands even when another part is open; support needs all.
  const decisive = refuting ?? open ?? parts[0];
  if (!decisive) return inconclusive('The criterion has no part.');
  if (refuting || open) return { ...decisive, ...shared };
  return { ...decisive, ...shared, why: parts.map((part) => part.why).join(' ') };
}

const isInside = (interval: Interval, region: Region): boolean =>
  interval.low > (region.above ?? -Infinity) && interval.high < (region.below ?? Infinity);

function describeRegion(region: Region): string {
  if (region.above === undefined) return `below ${figure(region.below ?? NaN)}`;
  if (region.below === undefined) return `above ${figure(region.above)}`;
  return `between ${figure(region.above)} and ${figure(region.below)}`;
}

/** Decides by the place of the whole interval; NaN bounds are inside nothing. */
export function decide(what: string, interval: Interval, thresholds: Thresholds, seeds: number): Finding {
  const { low, high, estimate, confidence } = interval;
  const percent = figure(confidence * 100);
  const range = `The ${percent} % interval of ${what}, ${figure(low)} to ${figure(high)}`;
  const found = { estimate, interval: { low, high, confidence }, seeds };
  const usable = Number.isFinite(low) && Number.isFinite(high) && Number.isFinite(estimate);
  const regions: [Finding['outcome'], Region][] = [
    ['supports', thresholds.support],
    ...thresholds.refute.map((region): [Finding['outcome'], Region] => ['refutes', region]),
  ];
  for (const [outcome, region] of regions) {
    if (!usable || !isInside(interval, region)) continue;
    const edge = Math.min(estimate - (region.above ?? -Infinity), (region.below ?? Infinity) - estimate);
    const half = (high - low) / 2;
    const clearance = half === 0 ? Infinity : edge / half;
    return { outcome, why: `${range}, lies ${describeRegion(region)}.`, ...found, clearance };
  }
  const needed = describeRegion(thresholds.support);
  const why = usable
    ? `${range}, is neither wholly ${needed} (support) nor wholly ${thresholds.refute.map(describeRegion).join(' or ')} (refute).`
    : `${range}, is not bounded by the data.`;
  return { outcome: 'inconclusive', why, ...found, clearance: 0 };
}

/** One value a seed: the median of repeats. A string says what is missing. */
function perSeed(
  arm: string,
  at: number | undefined,
  measurements: readonly Measurement[],
  seeds: readonly number[],
): number[] | string {
  const values: number[] = [];
  for (const seed of seeds) {
    const own = measurements.filter(
      (m) => m.arm === arm && m.seed === seed && (at === undefined || m.at === at),
    );
    if (own.length === 0)
      return `Arm ${arm} has no value for seed ${seed}${at === undefined ? '' : ` at ${at}`}.`;
    if (new Set(own.map((m) => m.at)).size > 1) return `Arm ${arm} has several places for seed ${seed}.`;
    values.push(median(own.map((m) => m.value)));
  }
  return values.length === 0 ? 'The criterion names no reporting seeds.' : values;
}

type Of<K extends Analysis['kind']> = Extract<Analysis, { kind: K }>;

function valueFinding(
  analysis: Of<'value'>,
  measurements: readonly Measurement[],
  seeds: readonly number[],
): Finding {
  const values = perSeed(analysis.arm, analysis.at, measurements, seeds);
  if (typeof values === 'string') return missing(values);
  return decide(
    `the mean of ${analysis.arm}`,
    tInterval(values, analysis.confidence),
    analysis,
    values.length,
  );
}

/**
 * The median of the estimates and the widest ends; runs of the same data and code hold the same numbers. Where a criterion
 * has seeds, the run computes the interval from trainings with all of them.
 */
function intervalFinding(
  analysis: Of<'interval'>,
  measurements: readonly Measurement[],
  seeds: readonly number[],
): Finding {
  const { arm, confidence } = analysis;
  const of = (name: string): number[] => measurements.filter((m) => m.arm === name).map((m) => m.value);
  const [values, lows, highs] = [of(arm), of(`${arm}-low`), of(`${arm}-high`)];
  if (values.length === 0) return missing(`Arm ${arm} has no value.`);
  if ((lows.length === 0) !== (highs.length === 0))
    return missing(`Arm ${arm} has one end of an interval only.`);
  if (values.some(Number.isNaN)) return inconclusive(`Arm ${arm} has the value NaN.`);
  const estimate = median(values);
  const [low, high] = [lows.length > 0 ? lows : values, highs.length > 0 ? highs : values];
  const interval = { estimate, low: Math.min(...low), high: Math.max(...high), confidence };
  const found = decide(arm, interval, analysis, seeds.length);
  if (lows.length > 0 || found.outcome === 'inconclusive') return found;
  const region = found.why.slice(found.why.indexOf('lies '));
  return { ...found, why: `${arm}, ${figure(estimate)}, ${region}` };
}

function slopeFinding(
  analysis: Of<'slope'>,
  measurements: readonly Measurement[],
  seeds: readonly number[],
): Finding {
  const slopes: number[] = [];
  let single: Interval | undefined;
  for (const seed of seeds) {
    const own = measurements.filter((m) => m.arm === analysis.arm && m.seed === seed && m.at !== undefined);
    const places = [...new Set(own.map((m) => m.at as number))].sort((a, b) => a - b);
    const values = places.map((at) => median(own.filter((m) => m.at === at).map((m) => m.value)));
    if (places.length < 3) return missing(`Arm ${analysis.arm} has fewer than 3 places for seed ${seed}.`);
    if (!(places[0] > 0) || values.some((value) => !(value > 0 && value < Infinity))) {
      return inconclusive(
        `Arm ${analysis.arm} has a value that is not positive and finite for seed ${seed}.`,
      );
    }
    single = logLogSlope(places, values, { span: analysis.span, confidence: analysis.confidence });
    slopes.push(single.estimate);
  }
  if (!single) return missing('The criterion names no reporting seeds.');
  const interval = slopes.length > 1 ? tInterval(slopes, analysis.confidence) : single;
  const top = analysis.span === undefined ? '' : ` over the top ${analysis.span}x`;
  return decide(`the slope of ${analysis.arm}${top}`, interval, analysis, slopes.length);
}

function differenceFinding(
  analysis: Of<'difference'>,
  measurements: readonly Measurement[],
  seeds: readonly number[],
): Finding {
  const { arm, against, at, confidence, scale = 'difference', pairing = 'paired' } = analysis;
  const first = perSeed(arm, at, measurements, seeds);
  const second = perSeed(against, at, measurements, seeds);
  if (typeof first === 'string') return missing(first);
  if (typeof second === 'string') return missing(second);
  const test = pairing === 'paired' ? pairedDifference : welchDifference;
  if (scale === 'difference') {
    return decide(`${arm} - ${against}`, test(first, second, confidence), analysis, first.length);
  }
  if ([...first, ...second].some((value) => !(value > 0))) {
    return inconclusive(`The ratio of ${arm} and ${against} needs positive values.`);
  }
  const logs = test(first.map(log), second.map(log), confidence);
  const ratio = { estimate: exp(logs.estimate), low: exp(logs.low), high: exp(logs.high), confidence };
  return decide(`${arm} / ${against}`, ratio, analysis, first.length);
}

function orderingFinding(
  analysis: Of<'ordering'>,
  measurements: readonly Measurement[],
  seeds: readonly number[],
): Finding {
  const { arms, at } = analysis;
  const steps = arms.length - 1;
  // Bonferroni: all steps together keep the confidence asked for.
  const confidence = 1 - (1 - analysis.confidence) / Math.max(steps, 1);
  const findings: Finding[] = [];
  for (let i = 0; i < steps; i++) {
    findings.push(
      differenceFinding(
        {
          kind: 'difference',
          arm: arms[i + 1],
          against: arms[i],
          at,
          confidence,
          support: { above: 0 },
          refute: [{ below: 0 }],
        },
        measurements,
        seeds,
      ),
    );
  }
  return allFinding(findings);
}
