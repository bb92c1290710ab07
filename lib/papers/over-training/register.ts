/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'over-training/constant-exponent': [
    {
      hash: 'f903e207508b1d702996ddffb676062881f49350a3a248dcfd6d016e2a42fff4',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/over-training.md.',
    },
  ],
  'over-training/extrapolation': [
    {
      hash: 'bd55745786757ca5db1b35ec65a30c7b2beb8af82119dfc8cf6ded73f08835b6',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/over-training.md.',
    },
  ],
};
