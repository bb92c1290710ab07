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
  'mamba/generation-ratio': [
    {
      hash: '439e56df0bca12e8c6a4b9279ce2c90f6505dbdc4935aa456eebfc8344f4a5c5',
      date: '2026-11-22',
      note: 'First version; thresholds from the pilot in docs/pilots/mamba-generation.md.',
    },
  ],
  'mamba/selective-copying': [
    {
      hash: 'a15121b3131662c63ca1e75a2fa7488a6630332931e29d2e53835c8e1927c959',
      date: '2026-11-22',
      note: 'First version; thresholds from the pilot in docs/pilots/mamba-tasks.md.',
    },
  ],
  'mamba/gating-alone': [
    {
      hash: 'b5b7497b6c2c897deb3086676ba4053fe807bd9916d610755ee25c536a64632f',
      date: '2026-11-22',
      note: 'First version; thresholds from the pilot in docs/pilots/mamba-tasks.md.',
    },
  ],
  'mamba/induction-heads': [
    {
      hash: '43a50fdbd9ffcef2d55e46769fab5b839943cac4eca25b4ed1c598a654412009',
      date: '2026-11-22',
      note: 'First version; thresholds from the pilot in docs/pilots/mamba-tasks.md.',
    },
  ],
};
