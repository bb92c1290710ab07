/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'kv-caching/same-logits': [
    {
      hash: 'ff3bcc3c65b22841aa33c8e4ee5bf49a42877329676057801d17362c24676cd2',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/kv-caching.md.',
    },
  ],
  'kv-caching/operations-per-token': [
    {
      hash: '81e4ff05037ddff4f55a3941bc423939b32794d57989558606e6f02de09839b2',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/kv-caching.md.',
    },
  ],
  'kv-caching/bytes': [
    {
      hash: 'b510204fbe12d94d52c4e13bcc35e866959211a72d5d5de7b89cc7ea5a909663',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/kv-caching.md.',
    },
  ],
  'kv-caching/time': [
    {
      hash: '03f7e6bb3e91eb824493e1083ba820a4b243930e9a83215dfaf18c81527ff877',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/kv-caching.md.',
    },
  ],
};
