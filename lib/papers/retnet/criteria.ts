/** What decides the claims of RetNet. A changed criterion needs a new entry in register.ts. */
import { ANY_SIZE, between, found, negative, NO_SEEDS, positive } from '../claim-entries.js';
import { exponent } from '../exponents.js';
import type { Criterion } from '../ledger/types.js';
import {
  all,
  constant,
  flat,
  growsFasterThan,
  increasing,
  linear,
  linearMap,
  SECONDS,
  steeper,
  TIMED,
} from '../mixer-criteria.js';

const EXACT = { seeds: NO_SEEDS, sizes: ANY_SIZE };
const atLeast = (arm: string, value: number) => found(arm, { above: value }, [{ below: value }], 0.95, false);

export const representations: Criterion = {
  metric: { name: 'largest difference of an output from the parallel representation', unit: '' },
  analysis: all(
    between('recurrent', 0, 1e-12),
    between('chunkwise', 0, 1e-12),
    between('operator: parallel', 0, 1e-12),
    between('operator: chunk', 0, 1e-12),
    between('operator: recurrent', 0, 1e-12),
  ),
  controls: [
    negative('another decay is another function', atLeast('recurrent, gamma of the next head', 1e-3)),
    negative(
      'chunks that do not fade what comes before them give another function',
      atLeast('chunks that do not fade: smallest', 1e-3),
    ),
  ],
  ...EXACT,
};

export const normalisation: Criterion = {
  metric: { name: 'largest difference of an output after the norm of each head', unit: '' },
  analysis: between('eps = 0', 0, 1e-9),
  controls: [
    positive('before the norm the outputs differ', atLeast('before the norm', 1e-3)),
    negative('with an eps of 1e-5 in the norm they differ after it', atLeast('eps = 1e-5', 1e-5)),
  ],
  ...EXACT,
};

export const operations: Criterion = {
  metric: { name: 'operations of a head over T tokens', unit: 'floating-point operations' },
  analysis: all(exponent('recurrent', 0.99, 1.01), exponent('chunkwise', 0.99, 1.01)),
  controls: [positive('the parallel representation is quadratic', exponent('parallel', 1.95, 2.05))],
  ...EXACT,
};

export const stateBytes: Criterion = {
  metric: { name: 'memory a sequence keeps in a layer after T tokens', unit: 'bytes' },
  analysis: constant('retention'),
  controls: [increasing('a key/value cache of the same width grows', 'key/value cache')],
  ...EXACT,
};

export const passTime: Criterion = {
  metric: { name: 'time of a forward pass over T tokens', unit: SECONDS },
  analysis: all(linear('chunkwise'), growsFasterThan('parallel', 1.6)),
  controls: [linearMap, steeper('tiled attention grows towards the square', 'tiled attention', 1.4)],
  ...TIMED,
};

export const stepTime: Criterion = {
  metric: { name: 'time of one token after T tokens', unit: SECONDS },
  analysis: flat('retention step'),
  controls: [
    steeper('a query over a key/value cache takes longer the longer the cache', 'attention step', 0.5),
  ],
  ...TIMED,
};

export const memorySaved: Criterion = {
  metric: { name: 'part of the memory that is saved', unit: '' },
  analysis: found('memory saved after 8k', { above: 0.6, below: 0.8 }, [{ below: 0.5 }, { above: 0.9 }]),
  controls: [
    negative(
      'without a context nothing is saved',
      found('memory saved after one token', { below: 0.05 }, [{ above: 0.05 }]),
    ),
  ],
  ...EXACT,
};

export const throughput: Criterion = {
  metric: { name: 'generated tokens a second, RetNet over transformer', unit: '' },
  analysis: found('throughput ratio after 8k', { above: 4.2, below: 16.8 }, [
    { below: 4.2 },
    { above: 16.8 },
  ]),
  controls: [
    negative(
      'without a context nothing is gained',
      found('throughput ratio after one token', { below: 1.2 }, [{ above: 1.2 }]),
    ),
  ],
  ...EXACT,
};
