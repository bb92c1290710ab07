/** Other programs on the same problem, timed in turn with ours. */
import type { Dims } from '../../../lib/core/shape.js';
import type { Sampler } from '../measure.js';

/** A program as one row of a table. */
export interface Opponent {
  /** For people, for example 'C -O3'. */
  name: string;
  form: string;
  threads: number;
  /** False for sizes it was not written for. */
  fits(dims: Dims): boolean;
  /** Warms it up. @throws Error saying why it could not run */
  sampler(dims: Dims, direction: string, longestMs: number): Promise<Sampler>;
}

/** The programs there are on this machine, and what became of the others. */
export interface Opponents {
  list: Opponent[];
  /** Versions, commands, and reasons why something is absent. */
  notes: string[];
  dispose(): void;
}

const SAMPLES = 7;
const FEWEST_SAMPLES = 3;

/** Samples that fit, when one takes `sampleMs` with everything around it. */
export function samplesFor(sampleMs: number, longestMs: number): number {
  return Math.max(FEWEST_SAMPLES, Math.min(SAMPLES, Math.floor(longestMs / sampleMs)));
}
