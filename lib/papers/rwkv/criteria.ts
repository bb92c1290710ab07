/** What decides the claims of RWKV. A changed criterion needs a new entry in register.ts. */
import { ANY_SIZE, between, found, negative, NO_SEEDS, positive } from '../claim-entries.js';
import { exponent } from '../exponents.js';
import type { Criterion } from '../ledger/types.js';
import {
  all,
  constant,
  flat,
  increasing,
  linear,
  linearMap,
  SECONDS,
  steeper,
  TIMED,
} from '../mixer-criteria.js';

const EXACT = { seeds: NO_SEEDS, sizes: ANY_SIZE };

export const recurrence: Criterion = {
  metric: { name: 'largest difference of an output from the double sum', unit: '' },
  analysis: all(
    between('with a maximum', 0, 1e-11),
    between('operator: recurrent', 0, 1e-11),
    between('operator: chunk', 0, 1e-11),
    between('with a maximum, f32', 0, 1e-3),
  ),
  controls: [
    negative(
      'without the maximum, large keys leave no numbers in f32',
      found('naive in f32: lost outputs, largest keys', { above: 0.1 }, [{ below: 0.1 }]),
    ),
    positive(
      'with small keys the naive recurrence is right too',
      between('naive in f32, small keys', 0, 1e-3),
    ),
  ],
  ...EXACT,
};

export const operations: Criterion = {
  metric: { name: 'operations of WKV', unit: 'floating-point operations' },
  analysis: all(exponent('over tokens', 0.99, 1.01), exponent('over channels', 0.99, 1.01)),
  controls: [negative('attention is quadratic in the tokens', exponent('attention over tokens', 1.9, 2.05))],
  ...EXACT,
};

export const stateBytes: Criterion = {
  metric: { name: 'memory a sequence keeps in a layer after T tokens', unit: 'bytes' },
  analysis: constant('rwkv'),
  controls: [increasing('a key/value cache of the same width grows', 'key/value cache')],
  ...EXACT,
};

export const passTime: Criterion = {
  metric: { name: 'time of a forward pass over T tokens', unit: SECONDS },
  analysis: linear('wkv'),
  controls: [linearMap, steeper('tiled attention grows towards the square', 'tiled attention', 1.5)],
  ...TIMED,
};

export const stepTime: Criterion = {
  metric: { name: 'time of one token after T tokens', unit: SECONDS },
  analysis: flat('wkv step'),
  controls: [
    steeper('a query over a key/value cache takes longer the longer the cache', 'attention step', 0.5),
  ],
  ...TIMED,
};
