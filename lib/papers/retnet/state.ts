/** What a layer of RetNet carries from token to token. */
import { Random } from '../../core/random.js';
import { createRetention, normal, retentionMixer, retentionState } from '../../nn/index.js';
import { treeTensors } from '../../tensor/tree.js';
import type { Measurement } from '../ledger/types.js';
import { keptBytes } from '../state-bytes.js';

const CONFIG = { width: 64, heads: 2 } as const;

/** Bytes after growing contexts, beside attention of the same width. */
export function measureState(): Measurement[] {
  const params = createRetention(CONFIG, new Random('retnet'));
  const made = keptBytes('retention', { heads: 2, size: 32 }, (random, tokens) => {
    const x = normal(random, [1, tokens, CONFIG.width], 1);
    return [retentionMixer(params, CONFIG, x, { state: retentionState(CONFIG, 1) }).state.memory];
  });
  for (const t of treeTensors(params)) t.dispose();
  return made;
}
