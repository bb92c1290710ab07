/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'gqa/cache': [
    {
      hash: '0ec70fcb48e80bf743f1192ed8bb4fd86ea3c30664b28040a051b58c52a791e2',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/gqa.md.',
    },
  ],
  'gqa/time-between': [
    {
      hash: '0acc49fcf1926e118417d0db020aedc1aa4957f111ebdcb2a5aef4c26f8cb3be',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/gqa.md.',
    },
  ],
  'gqa/conversion': [
    {
      hash: '977ee6e90bd3074925ad5f7ee0b0c4398b6e415a87fa59add227bae8e8ed7f49',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/gqa.md.',
    },
  ],
  'gqa/near-multi-head': [
    {
      hash: '9286f524a787a8ef39188d5cf067a183cb5441a0ec94b46d2799d7f4c9ccea35',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/gqa.md.',
    },
  ],
};
