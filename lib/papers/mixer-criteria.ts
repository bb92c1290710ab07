/** Parts of criteria that claims on the cost of sequence mixers share. */
import { negative, positive } from './claim-entries.js';
import type { Analysis, Control, Predicate, Region } from './ledger/types.js';
import { TIMING_SEEDS } from './timed-part.js';

export const TIMED = { seeds: { tuning: [], reporting: TIMING_SEEDS }, sizes: ['lesson', 'full'] } as const;
export const SECONDS = 's (processor time; wall time on a GPU)';
/** Deviation of every timing. */
export const CPU_DEVIATION =
  'f32 on one thread of a CPU (or the adapter named in the run) instead of half precision on an A100; weights random, forward pass only.';

export const all = (...of: readonly Analysis[]): Analysis => ({ kind: 'all', of });
export const holds = (arm: string, predicate: Predicate): Analysis => ({ kind: 'predicate', arm, predicate });
export const constant = (arm: string): Analysis => holds(arm, { is: 'constant' });
export const increasing = (name: string, arm: string): Control =>
  positive(name, holds(arm, { is: 'increasing' }));

/** Exponent of time over the top 8x of the sizes. */
export const slope = (arm: string, support: Region, refute: readonly Region[]): Analysis => ({
  ...{ kind: 'slope', arm, span: 8, confidence: 0.95 },
  support,
  refute,
});
export const linear = (arm: string): Analysis =>
  slope(arm, { above: 0.85, below: 1.15 }, [{ above: 1.15 }, { below: 0.85 }]);
/** No growth to speak of. */
export const flat = (arm: string): Analysis => slope(arm, { below: 0.15 }, [{ above: 0.15 }]);
export const growsFasterThan = (arm: string, than: number): Analysis =>
  slope(arm, { above: than }, [{ below: than }]);
export const steeper = (name: string, arm: string, than: number): Control =>
  negative(name, growsFasterThan(arm, than));
export const linearMap: Control = positive(
  'the clock sees a linear map of every token as linear',
  slope('linear map', { above: 0.8, below: 1.2 }, [{ above: 1.2 }, { below: 0.8 }]),
);

/** arm / against, paired by repetition. */
export const ratio = (
  arm: string,
  against: string,
  support: Region,
  refute: readonly Region[],
  at?: number,
): Analysis => ({
  ...{ kind: 'difference', arm, against, scale: 'ratio', pairing: 'paired', confidence: 0.95 },
  ...(at === undefined ? {} : { at }),
  support,
  refute,
});
