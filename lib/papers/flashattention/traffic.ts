/** Words between main and fast memory, counted by walking the loops; and what attention holds at most, measured. */
import { attentionTraffic, peakBytes } from '../../cost/index.js';
import { Random } from '../../core/random.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import { normal } from '../../nn/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { vjp } from '../../tensor/tape.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Measurement } from '../ledger/types.js';

const D = 64;
/** Words of fast memory in the sweeps of other sizes: 100 KB in 16 bits, as the paper has in mind. */
export const FAST = 51200;
export const LENGTHS = [4096, 8192, 16384, 32768, 65536];
/** From d to N d words, where the theorem speaks. */
export const FAST_SIZES = [4096, 8192, 16384, 32768, 65536];
export const WIDTHS = [32, 64, 128, 256];
/** Where the paper says that memory is many times less busy. */
export const TYPICAL = { tokens: 1024, width: D };

const words = (algorithm: 'naive' | 'flash', tokens: number, width: number, onChip: number): number =>
  attentionTraffic(algorithm, { tokens, width, onChip });

/** Sweeps of one size each. Widths are swept where tiles stay larger than one row in both directions. */
export function measureTraffic(): Measurement[] {
  const made: Measurement[] = [];
  for (const algorithm of ['naive', 'flash'] as const) {
    for (const at of LENGTHS)
      made.push({ arm: `${algorithm}: words over N`, at, value: words(algorithm, at, D, FAST) });
    for (const at of FAST_SIZES)
      made.push({ arm: `${algorithm}: words over M`, at, value: words(algorithm, 8192, D, at) });
    for (const at of WIDTHS)
      made.push({ arm: `${algorithm}: words over d`, at, value: words(algorithm, 16384, at, FAST) });
  }
  const { tokens, width } = TYPICAL;
  made.push({
    arm: 'naive over flash',
    value: words('naive', tokens, width, FAST) / words('flash', tokens, width, FAST),
  });
  return made;
}

/** Sizes at which peak memory is taken. */
export const PEAK_LENGTHS = [256, 512, 1024, 2048];

/** Largest rise of host memory in a forward and a backward pass, inputs left out, one head of 32 columns. */
export function measurePeaks(): Measurement[] {
  const random = new Random('flashattention');
  return PEAK_LENGTHS.flatMap((at) =>
    (['chunk', 'parallel'] as const).map((form) => {
      const inputs = Object.fromEntries(
        ['q', 'k', 'v'].map((name) => [name, normal(random, [1, at, 1, 32], 1)]),
      );
      const run = () =>
        scope(() => {
          const { outputs, pull } = vjp(
            (p: Record<string, Tensor>) => ({ y: softmaxAttention(p.q, p.k, p.v, { form, causal: false }) }),
            inputs,
          );
          return pull({ y: outputs.y }).q;
        });
      // The first call makes what is kept for all calls alike.
      noGrad(run).dispose();
      const { bytes, result } = peakBytes(run);
      result.dispose();
      for (const t of Object.values(inputs)) t.dispose();
      return { arm: form === 'chunk' ? 'tiled' : 'scores in memory', at, value: bytes };
    }),
  );
}
