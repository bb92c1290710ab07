/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'rope/relative-position': [
    {
      hash: 'c901bfc869a78e78a1f2158869f399599498e4005c00cdae4cc022da08fdb734',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/rope.md.',
    },
  ],
  'rope/long-term-decay': [
    {
      hash: '693aac95d052460fc7bdee666605a630ff44c1c4fc9feef3d22fc6142eb19eae',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/rope.md.',
    },
  ],
  'rope/faster-convergence': [
    {
      hash: 'fcf1e4e07f8a1cd5b132685c10571ef5f734dfecb3d160e241f53fa92999a63c',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/rope.md.',
    },
  ],
  'rope/with-and-without': [
    {
      hash: '480ebb97b2f6ec42bd2c62f4634eabd907f157d73a44b8b7513b5382d8a77d5b',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/rope.md.',
    },
  ],
};
