/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'pythia/deduplication': [
    {
      hash: '00967d8232dda561aa8805b56afeb6cdb53ce50669eb28e8f618480254b805df',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/pythia.md.',
    },
  ],
  'pythia/order-of-sizes': [
    {
      hash: '46b18bf63fe894a18ea6b098b458d6805850285cec096507a1c424e6ce147ee8',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/pythia.md.',
    },
  ],
};
