/** Bytes that a sequence keeps after a context: of any mixer, beside the cache of attention. */
import { bytesKept } from '../cost/index.js';
import { normal, KeyValueCache } from '../nn/index.js';
import { Random } from '../core/random.js';
import { keep, scope } from '../tensor/scope.js';
import { noGrad } from '../tensor/tape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Measurement } from './ledger/types.js';

export const STATE_CONTEXTS = [64, 128, 256, 512, 1024];

/**
 * Bytes that exist after a context and not before. `read` reads that many random tokens and gives the tensors it would
 * carry on; the cache holds keys and values of the same width.
 */
export function keptBytes(
  arm: string,
  cache: { heads: number; size: number },
  read: (random: Random, tokens: number) => readonly Tensor[],
): Measurement[] {
  return STATE_CONTEXTS.flatMap((at) => {
    const run = () => {
      const kept = scope(() => noGrad(() => read(new Random(at), at).map((t) => keep(t))));
      return kept;
    };
    // The first reading makes what all sequences share, such as tables of rotations.
    for (const t of run()) t.dispose();
    const state = bytesKept(run);
    for (const t of state.result) t.dispose();
    const attention = bytesKept(() => {
      const made = new KeyValueCache({ batch: 1, ...cache }, at);
      scope(() => {
        const draw = () => normal(new Random(at), [1, at, cache.heads, cache.size], 1);
        noGrad(() => made.attend(draw(), draw(), draw()));
      });
      return made;
    });
    attention.result.dispose();
    return [
      { arm, at, value: state.bytes },
      { arm: 'key/value cache', at, value: attention.bytes },
    ];
  });
}
