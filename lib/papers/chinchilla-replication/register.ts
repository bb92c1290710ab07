/** When each criterion was fixed. A changed criterion appends an entry; none is ever edited. */
import type { Registration } from '../ledger/types.js';

export const CLAIM_REGISTER: { readonly [claim: string]: readonly Registration[] } = {
  'chinchilla-replication/estimates': [
    {
      hash: '947b4c70ac7dbaa7cb643d738843ac4b246f0a0f654419eb9ea8438485ff9253',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla-replication.md.',
    },
  ],
  'chinchilla-replication/poor-fit': [
    {
      hash: '882fc3b7133963878e6c9cddec81ee4ba3d28f65330ec0b4b7873a66cc5f4665',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla-replication.md.',
    },
  ],
  'chinchilla-replication/narrow-intervals': [
    {
      hash: 'ceedb719cb555b84976f19030f8fde5c4f29df41442cb065379736f04f3ac9cb',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla-replication.md.',
    },
  ],
  'chinchilla-replication/compatible-exponent': [
    {
      hash: 'adefaaf031e3a43347c31fb3431e2d13aeba574b40973c19f9500f23b82ecdcf',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla-replication.md.',
    },
  ],
  'chinchilla-replication/early-stop': [
    {
      hash: 'ee625d0b041a907ab25c560c29bdb69bbc03c2106fc23b112e67488be4dd9640',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla-replication.md.',
    },
  ],
  'chinchilla-replication/rounding': [
    {
      hash: '1a588f8e3e96ac88a0216b1cc2e09b85f60e0c7316fbfbfd637ac443a2122a75',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla-replication.md.',
    },
  ],
  'chinchilla-replication/five-points': [
    {
      hash: 'd93d47032b6968e5441de1acb0cf41d2c37905c4d39e6d73dc554f2dc80339b2',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla-replication.md.',
    },
  ],
  'chinchilla-replication/budget': [
    {
      hash: 'ce9418311522ae047166b11636849b2a6bfa6a34e8cdd34db97330eaddb51df2',
      date: '2026-11-22',
      note: 'First version; thresholds as reasoned in docs/pilots/chinchilla-replication.md.',
    },
  ],
};
