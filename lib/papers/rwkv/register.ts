/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'rwkv/stable-recurrence': [
    {
      hash: 'a12e9a03307f22d56994a47118dd1052e590edd26a6c9a2d3da2b28fd3c43100',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/rwkv.md.',
    },
  ],
  'rwkv/operations': [
    {
      hash: '8620e5de516c771fa3fbe368a645d687a4d5f0f1c8e30c9c76f75484e4021bea',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/rwkv.md.',
    },
  ],
  'rwkv/state-bytes': [
    {
      hash: '067bbb5c524fc51c2b5d1bd6865f148862ac874ba139f106b72de92bb79b285a',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/rwkv.md.',
    },
  ],
  'rwkv/time-of-a-pass': [
    {
      hash: '29214fcabaf858232d30136b6334169af636d2faff138dcc043e42af0964954f',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/rwkv.md.',
    },
  ],
  'rwkv/time-of-a-step': [
    {
      hash: 'a5841c63b99d465012b4af2572777511b7cc5c45c34219b20ead38426dcb9e0d',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/rwkv.md.',
    },
  ],
};
