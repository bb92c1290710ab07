/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'chinchilla/equal-scaling': [
    {
      hash: 'd8c608101edb642b2b73e79321b83c51f3d93790266f4b3e00a1f9a2bca35820',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla.md.',
    },
  ],
  'chinchilla/interval-of-a': [
    {
      hash: 'b430789e197a15cd8ae06a0437d7a4db24a772c885a85253acf1bc3a92d391e5',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla.md.',
    },
  ],
  'chinchilla/published-parameters': [
    {
      hash: 'f0b7758d488b7c7cefd66e0ad2c689ce79e9a0c6628c0d1ffc945c4e6c8a3bf0',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla.md.',
    },
  ],
  'chinchilla/optimal-size': [
    {
      hash: '21ed0446abf2e041a38044c9eddc27d5e2aad3de3793380cfc795811b10e3aab',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla.md.',
    },
  ],
};
