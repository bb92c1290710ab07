/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'flashattention/exact': [
    {
      hash: '14a9b2070160f1286713cb19fa4302838b04d77f84cd4b19ed2a840b59078ac1',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/flashattention.md.',
    },
  ],
  'flashattention/memory-accesses': [
    {
      hash: '28e5dc00da1abb75c0e42eb4b8ea8e2aed33563465b76326d4903c99d618e61f',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/flashattention.md.',
    },
  ],
  'flashattention/fewer-accesses': [
    {
      hash: 'a8923592ba649e4c23dd8d0a814ad7aa74e81c3c2493195585a01e25d431ca8b',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/flashattention.md.',
    },
  ],
  'flashattention/linear-memory': [
    {
      hash: '5b5243f1000496e438dedaa28e223034540c4ab7e317ac3739a01b0e1a21f025',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/flashattention.md.',
    },
  ],
  'flashattention/faster': [
    {
      hash: '579eb55b6a2cdb1e7b822b4cea85e717201a53c330a261e309b4363dec39e2a5',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/flashattention.md.',
    },
  ],
};
