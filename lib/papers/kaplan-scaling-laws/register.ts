/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'kaplan-scaling-laws/entropy': [
    {
      hash: 'c7480f95f3c6c8bec194f336af84d397488b35ae0c92de8ac3c6833a8a22731d',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/kaplan-scaling-laws.md.',
    },
  ],
  'kaplan-scaling-laws/prediction': [
    {
      hash: 'd6432646fa72d8f9ad0f775ba8232a758a12e13f77d3ffad441f451c4ed9f3f4',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/kaplan-scaling-laws.md.',
    },
  ],
  'kaplan-scaling-laws/embeddings': [
    {
      hash: '9473fc972b6dca0af6aa604d502ae35d59e95b325b73102b9dd1a8f8ace491e8',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/kaplan-scaling-laws.md.',
    },
  ],
};
