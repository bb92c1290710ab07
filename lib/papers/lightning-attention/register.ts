/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'lightning-attention/tiles': [
    {
      hash: 'e52969d8280daaaa6d19d098b9dd9a139be2d0b5ba7591cf99eeeeabb6b766f1',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/lightning-attention.md.',
    },
  ],
  'lightning-attention/work-per-token': [
    {
      hash: '5d300bd2b3dc2f985388d650e669f15aa53fca496e3e660242a71c2eb0e94e68',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/lightning-attention.md.',
    },
  ],
  'lightning-attention/constant-speed': [
    {
      hash: 'a89fe199aa84abb342b5576404f9320004001dadd51d83bbf14656376d25e8b9',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/lightning-attention.md.',
    },
  ],
  'lightning-attention/blocks-instead-of-cumsum': [
    {
      hash: '86807ba5d47daaf23dd2a7fcaa682187fc16f9205ddee4ecaaf61896f01e283c',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/lightning-attention.md.',
    },
  ],
  'lightning-attention/crossing': [
    {
      hash: '3fd8bc56e25b6fc8b18994f45c9637416f6d9667c29c94af9ea398dbd5f49261',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/lightning-attention.md.',
    },
  ],
};
