/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'speculative-moe/remote-share': [
    {
      hash: 'd708f976c0db8b3cc88a82b33f3d8cad05f3876fe395da5deef90bf93f01274f',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/speculative-moe.md.',
    },
  ],
  'speculative-moe/copies': [
    {
      hash: '853603da13992629cc9149c4d5b0937a98d210aafe23ce7c6a114c0646a812fa',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/speculative-moe.md.',
    },
  ],
  'speculative-moe/lossless': [
    {
      hash: '038e05d65b73f24f9c5e454b973b05735ac8e4a255a49442a20359f838d822e3',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/speculative-moe.md.',
    },
  ],
  'speculative-moe/links': [
    {
      hash: '2b6ef0f33a199f43d49e0283dfd5398625078d090f255eb9640ccbbe3249ae11',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/speculative-moe.md.',
    },
  ],
};
