/** The two layers as programs, small, so that what is handed to the experts and back can be counted. */
import { Random } from '../../core/random.js';
import { combine, dispatch, planDispatch, topKGate } from '../../families/moe-routing/index.js';
import { normal } from '../../nn/index.js';
import { groupedMatmul, matmul, silu } from '../../ops/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Measurement } from '../ledger/types.js';

const T = 24;
const EXPERTS = 8;
const CHOICES = 3;
const WIDTH = 64;
const INNER = 16;
/** h over the width at which BigMac communicates. */
export const RATIOS = [2, 4, 8, 16];

const bytesOf = (t: Tensor): number => t.size * 4;

/** Bytes of the rows that experts take in and give back, of one token, when the experts work at `width`. */
function sentPerToken(width: number, inner: number, random: Random): number {
  return scope(() =>
    noGrad(() => {
      const x = normal(random, [T, WIDTH], 1);
      const logits = matmul(x, normal(random, [WIDTH, EXPERTS], 0.125));
      const { weights, experts } = topKGate(logits, { k: CHOICES });
      const plan = planDispatch(experts, { experts: EXPERTS });
      const descended = width === WIDTH ? x : matmul(x, normal(random, [WIDTH, width], 0.125));
      const rows = dispatch(descended, plan);
      const up = groupedMatmul(rows, normal(random, [EXPERTS, width, inner], 0.125), plan.offsets);
      const back = groupedMatmul(silu(up), normal(random, [EXPERTS, inner, width], 0.125), plan.offsets);
      const combined = combine(back, plan, weights);
      const y = width === WIDTH ? combined : matmul(combined, normal(random, [width, WIDTH], 0.125));
      if (y.shape[0] !== T || y.shape[1] !== WIDTH) throw new Error('the layer must keep its shape');
      return (bytesOf(rows) + bytesOf(back)) / T;
    }),
  );
}

/** Bytes of a token by layer and width ratio, beside 2 k h b and 2 k h' b. */
export function measureBytes(): Measurement[] {
  const random = new Random('bigmac');
  return RATIOS.flatMap((at) => {
    const narrow = WIDTH / at;
    const [wide, low] = [
      sentPerToken(WIDTH, INNER, random),
      sentPerToken(narrow, (INNER * WIDTH) / narrow, random),
    ];
    return [
      { arm: 'fine-grained', at, value: wide },
      { arm: '2 k h b', at, value: 2 * CHOICES * WIDTH * 4 },
      { arm: 'bigmac', at, value: low },
      { arm: "2 k h' b", at, value: 2 * CHOICES * narrow * 4 },
      // Fine-grained experts that shrink inside: what they are sent stays.
      { arm: 'narrow inside only', at, value: sentPerToken(WIDTH, INNER / at, random) },
    ];
  });
}
