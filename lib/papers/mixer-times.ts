/** What timings of sequence mixers share. */
import type { Size } from './ledger/types.js';
import type { Sampling } from './timed-part.js';

/** Sampling of steps, which are short. */
export const STEP_SAMPLING: Readonly<Record<Size, Sampling>> = {
  smoke: { samples: 1, leastMilliseconds: 1 },
  lesson: { samples: 7, leastMilliseconds: 6 },
  full: { samples: 11, leastMilliseconds: 20 },
};

/** Sampling of passes: long enough that a call does not find the caches as another arm left them. */
export const PASS_SAMPLING: Readonly<Record<Size, Sampling>> = {
  smoke: { samples: 1, leastMilliseconds: 1 },
  lesson: { samples: 3, leastMilliseconds: 20 },
  full: { samples: 5, leastMilliseconds: 40 },
};
