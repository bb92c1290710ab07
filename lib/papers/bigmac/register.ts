/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'bigmac/bytes-per-token': [
    {
      hash: 'f8f4ca59517aaed76247b2b6ebb789966497e4667b7f3651bc37db9d811ec4b3',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/bigmac.md.',
    },
  ],
  'bigmac/equal-parameters': [
    {
      hash: 'bb6a847f58b613d917a5a95f2a5114d62c48d874831170ff77ff4dc683a71d7d',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/bigmac.md.',
    },
  ],
  'bigmac/training-latency': [
    {
      hash: 'baa9d1835d8a097daed0f45c17e19f1d7d78a0dbf5d1c9051a9479368edeb24c',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/bigmac.md.',
    },
  ],
  'bigmac/inference-throughput': [
    {
      hash: 'edeadb4026f5e2dedaaa7cdf35afd24ba7d9421ffaea3535172b8beeea103a7a',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/bigmac.md.',
    },
  ],
};
