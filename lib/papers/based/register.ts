/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'based/taylor-map': [
    {
      hash: 'b4894afd716d0bae400097c0146ea38bfdb38a0c7fa02b245f9ecbb1a3b05e1c',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/based.md.',
    },
  ],
  'based/state-bytes': [
    {
      hash: '823b8925d3db6219a0e30ffa8e572e9876dc5914b6feb8469e7e239cbcc30cb8',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/based.md.',
    },
  ],
  'based/recall-by-state': [
    {
      hash: 'aadee3e14ef44a7574a3554bcc8e614341673bda030d7e9cc3656e57542d996e',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/based.md.',
    },
  ],
  'based/taylor-features': [
    {
      hash: '15115fdb11956b84e6d83f94169b8c9df8b13fde474e1b8b1c6f1d91ab12fc7b',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/based.md.',
    },
  ],
  'based/window-helps': [
    {
      hash: 'f2170394ca02276088b1ce44d16bad6cb3a9d24f22ecd5490baed4762eeffc08',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/based.md.',
    },
  ],
};
