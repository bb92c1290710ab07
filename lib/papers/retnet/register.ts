/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'retnet/representations': [
    {
      hash: 'fe261cd4506fbea200ac9e427eac6868b21cbf268ed867399e5aedfdbbd330e0',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/retnet.md.',
    },
  ],
  'retnet/score-normalisation': [
    {
      hash: '1460cd2a50c1be7505d80f8e1432ba45115cd635557b6b322286b0ee53c10769',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/retnet.md.',
    },
  ],
  'retnet/operations': [
    {
      hash: 'ae80da1214c37399f874c23785713a63c57acc9e957ad33c5c0d2ba671e0e39b',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/retnet.md.',
    },
  ],
  'retnet/state-bytes': [
    {
      hash: 'e1c143dc2d5451f2818d488873209e57e423ff2376ad84da124fb544dd02aa07',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/retnet.md.',
    },
  ],
  'retnet/time-of-a-pass': [
    {
      hash: 'a99719b2440b7ce29cf460294c13ffaa7a23863a6efacb971bea3b54af304f34',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/retnet.md.',
    },
  ],
  'retnet/time-of-a-step': [
    {
      hash: 'd01d0c74986a7f1fc8b9fb4d223983c1eaec6778d6056c0dd52876d4c5ede6c3',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/retnet.md.',
    },
  ],
  'retnet/memory-saved': [
    {
      hash: 'f97ac4a16e7f7f216ba4c7397e11679eb663899bab6f7c1d6c2a15ac06b2dc1c',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/retnet.md.',
    },
  ],
  'retnet/throughput': [
    {
      hash: '6f6a30009fb966f9d90a65fbea44d467f0503070f9c3559342bf5132c851d044',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/retnet.md.',
    },
  ],
};
