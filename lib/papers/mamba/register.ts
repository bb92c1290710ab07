/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'mamba/state-bytes': [
    {
      hash: 'd07cf210604b33d4b84c8e14407549e49ea60f6cabba74746ff16add7fb171f0',
      date: '2026-11-22',
      note: 'First version; thresholds from the pilot in docs/pilots/mamba.md.',
    },
  ],
  'mamba/operations-per-token': [
    {
      hash: '35171b86999d07cb93fd9db207226553643fc75546e3601db4d771ce7597761d',
      date: '2026-11-22',
      note: 'First version; thresholds from the pilot in docs/pilots/mamba.md.',
    },
  ],
  'mamba/time-of-a-pass': [
    {
      hash: '319b83860ff965042298c2aa6fe1bbfa7b11bd1a776696cc76463750fe5e6ecd',
      date: '2026-11-22',
      note: 'First version; thresholds from the pilot in docs/pilots/mamba.md.',
    },
  ],
  'mamba/time-of-a-step': [
    {
      hash: 'a775936fa225dd7decae9a3a5d38de7ea3f204fcd3cd7bf2686182ba3e6e7499',
      date: '2026-11-22',
      note: 'First version; thresholds from the pilot in docs/pilots/mamba.md.',
    },
  ],
  'mamba/language-modelling': [
    {
      hash: 'de47df01da271bf1d63dd4c924299bae6ce6fab1b7971d0579cc874c356be9a9',
      date: '2026-11-22',
      note: 'First version; thresholds from the pilot in docs/pilots/mamba.md.',
    },
  ],
};
