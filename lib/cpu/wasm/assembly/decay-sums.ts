// The decay of many tokens as e to the sum of their logarithms. A product of the tokens' own decays carries the rounding
// of each, up to 2^-25 of it and the same every time where decays are fixed: over thousands of tokens that hardly fade,
// errors would reach the digits that results are held to.
import { expV, loadUpTo, splat } from './math';

/** out [K] = e^(x_0 + ... + x_{n-1}), rows of K numbers `step` bytes apart; ones behind. Sums of four rows are summed. */
export function decayOfAll(x: usize, step: usize, n: i32, K: i32, out: usize): void {
  for (let c = 0; c < K; c += 4) {
    const count = K - c;
    let from = x + (<usize>c << 2);
    let sum = splat(0);
    for (let i = 0; i < n; i += 4) {
      let four = loadUpTo(from, count);
      for (let j = i + 1; j < min(n, i + 4); j++) {
        from += step;
        four = f32x4.add(four, loadUpTo(from, count));
      }
      from += step;
      sum = f32x4.add(sum, four);
    }
    v128.store(out + (<usize>c << 2), expV(sum));
  }
}
