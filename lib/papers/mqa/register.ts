/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'mqa/intensity': [
    {
      hash: 'bf3545c13a7b76c577562f41e371a28ecfc702ca567e5c40815133745e796267',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/mqa.md.',
    },
  ],
  'mqa/cache': [
    {
      hash: '6916f19d5c8d4b96d9618d8301982346b7a610173d44c1d1de6cc8a66f49b7a3',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/mqa.md.',
    },
  ],
  'mqa/faster-step': [
    {
      hash: 'd0fa45691940552c45d8cc1237a5b8e55c75f3528cd86762debe3505af52ada9',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/mqa.md.',
    },
  ],
};
