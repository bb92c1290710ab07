/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'videollm-mod/layer-cost': [
    {
      hash: 'b3d208c69fabd430ecf7bf36e0af03e4e134a4103dd16335f54b3b0cfea5488c',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/videollm-mod.md.',
    },
  ],
  'videollm-mod/training-time': [
    {
      hash: 'c6cc30f70d7670e4f600a5007f5bac0ab0b55d8a94b652abf4e367b395c8d58b',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/videollm-mod.md.',
    },
  ],
  'videollm-mod/training-memory': [
    {
      hash: '983a51297774832d3cbfe08a5ccf83e168d75e7b9501317e4279f97a2de336ec',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/videollm-mod.md.',
    },
  ],
};
