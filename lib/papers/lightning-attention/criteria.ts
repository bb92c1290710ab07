/** What decides the claims of lightning attention. A changed criterion needs a new entry in register.ts. */
import { ANY_SIZE, between, found, negative, NO_SEEDS, positive } from '../claim-entries.js';
import type { Criterion } from '../ledger/types.js';
import {
  all,
  constant,
  increasing,
  linearMap,
  ratio,
  SECONDS,
  slope,
  steeper,
  TIMED,
} from '../mixer-criteria.js';

const EXACT = { seeds: NO_SEEDS, sizes: ANY_SIZE };

export const tiles: Criterion = {
  metric: { name: 'largest difference of an output or gradient from the left product', unit: '' },
  analysis: all(
    between('tiled: outputs', 0, 1e-11),
    between('tiled: gradients', 0, 1e-11),
    between('operator: outputs', 0, 1e-11),
    between('operator: gradients', 0, 1e-11),
  ),
  controls: [
    negative(
      'blocks that do not fade what comes before them give another function',
      found('blocks that do not fade: smallest', { above: 1e-3 }, [{ below: 1e-3 }], 0.95, false),
    ),
  ],
  ...EXACT,
};

export const work: Criterion = {
  metric: { name: 'operations, and words moved, for one token', unit: '' },
  analysis: all(constant('lightning: operations'), constant('lightning: words')),
  controls: [
    increasing('the left product takes more the longer the sequence', 'left product: operations'),
    increasing('tiled attention moves more the longer the sequence', 'tiled attention: words'),
  ],
  ...EXACT,
};

export const speed: Criterion = {
  metric: { name: 'time of a pass with gradients over a batch of as many tokens', unit: SECONDS },
  analysis: slope('lightning', { above: -0.15, below: 0.15 }, [{ above: 0.15 }, { below: -0.15 }]),
  controls: [steeper('tiled attention takes longer the longer the sequences', 'tiled attention', 0.5)],
  ...TIMED,
};

export const blocks: Criterion = {
  metric: { name: 'time of a forward pass over T tokens', unit: SECONDS },
  analysis: ratio('cumulative sum', 'lightning', { above: 1.5 }, [{ below: 1.1 }], 2048),
  controls: [linearMap],
  ...TIMED,
};

export const crossing: Criterion = {
  metric: { name: 'length from which on lightning attention is faster', unit: 'tokens' },
  analysis: ratio('measured crossing', 'predicted crossing', { above: 1 / 3, below: 3 }, [
    { below: 1 / 3 },
    { above: 3 },
  ]),
  controls: [
    steeper('tiled attention takes longer the longer the sequences', 'tiled attention', 0.4),
    positive(
      'lightning attention does not',
      slope('lightning', { above: -0.2, below: 0.2 }, [{ above: 0.2 }, { below: -0.2 }]),
    ),
  ],
  ...TIMED,
};
