/** Learning-rate schedules: pure functions of the step, counted from 1. */
import { ArgumentError, show } from '../core/errors.js';
import * as math from '../core/math.js';

/** Learning rate of a step, 1 for the first. */
export type Schedule = (step: number) => number;

function check(where: string, values: Record<string, number>): void {
  for (const [name, value] of Object.entries(values))
    if (!(value >= 0 && value < Infinity))
      throw new ArgumentError(`${where}: ${name} must be finite and not negative, got ${show(value)}`);
}

/** The same rate at every step. */
export function constantSchedule(rate: number): Schedule {
  check('constantSchedule', { rate });
  return () => rate;
}

function warmed(step: number, warmup: number, rate: number): number {
  return rate * Math.min(1, step / warmup);
}

/**
 * Linear warm-up to `peak` over `warmup` steps, then half a cosine down to `floor` at step `steps`.
 * Source: Loshchilov and Hutter 2017, arXiv 1608.03983v5, equation 5, one period.
 */
export function cosineSchedule(options: {
  peak: number;
  steps: number;
  warmup?: number;
  floor?: number;
}): Schedule {
  const { peak, steps, warmup = 0, floor = 0 } = options;
  check('cosineSchedule', { peak, steps, warmup, floor });
  if (warmup > steps)
    throw new ArgumentError(`cosineSchedule: warmup must be at most steps ${steps}, got ${warmup}`);
  return (step) => {
    if (step < warmup) return warmed(step, warmup, peak);
    const done = steps > warmup ? Math.min(1, (step - warmup) / (steps - warmup)) : 1;
    return floor + (peak - floor) * 0.5 * (1 + math.cos(Math.PI * done));
  };
}

/**
 * Warm-up, stable, decay: linear warm-up, `peak` until the last `decay` steps, then linearly down to `floor`.
 * Source: Hu et al. 2024 (MiniCPM), arXiv 2404.06395v3, section 4.2, with a linear decay.
 */
export function wsdSchedule(options: {
  peak: number;
  steps: number;
  warmup?: number;
  decay: number;
  floor?: number;
}): Schedule {
  const { peak, steps, warmup = 0, decay, floor = 0 } = options;
  check('wsdSchedule', { peak, steps, warmup, decay, floor });
  if (warmup + decay > steps)
    throw new ArgumentError(
      `wsdSchedule: warmup + decay must be at most steps ${steps}, got ${warmup + decay}`,
    );
  return (step) => {
    if (step < warmup) return warmed(step, warmup, peak);
    if (step <= steps - decay) return peak;
    const left = Math.max(0, (steps - step) / decay);
    return floor + (peak - floor) * left;
  };
}
