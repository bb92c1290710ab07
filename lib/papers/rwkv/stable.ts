/** WKV of RWKV-4 as the double sum, as the recurrence with a maximum, and as the naive one that overflows. */
import * as math from '../../core/math.js';
import { Random } from '../../core/random.js';
import { mixerCost } from '../../cost/index.js';
import { wkv4 } from '../../families/rwkv/index.js';
import { doubles, inDoubles } from '../host-doubles.js';
import type { Measurement } from '../ledger/types.js';

const [T, D] = [96, 8];
/** Largest size of a key. e^k is infinite in f32 from 88.73 on. */
export const KEY_RANGES = [1, 10, 30, 60, 100, 120];

/** One channel: keys and values by token, decay w <= 0 and bonus u. */
interface Channel {
  k: Float64Array;
  v: Float64Array;
  w: number;
  u: number;
}

type Round = (x: number) => number;
const exact: Round = (x) => x;

/** The definition, every weight by itself. */
function doubleSum({ k, v, w, u }: Channel): Float64Array {
  return v.map((_, t) => {
    let [above, below] = [0, 0];
    for (let i = 0; i <= t; i++) {
      const weight = math.exp(i < t ? (t - 1 - i) * w + k[i] : u + k[t]);
      above += weight * v[i];
      below += weight;
    }
    return above / below;
  });
}

/** Numerator and denominator as they stand; `round` after every operation. */
function naive({ k, v, w, u }: Channel, round: Round): Float64Array {
  let [a, b] = [0, 0];
  const fade = round(math.exp(w));
  return v.map((value, t) => {
    const [now, key] = [round(math.exp(round(u + k[t]))), round(math.exp(k[t]))];
    const y = round(round(a + round(now * value)) / round(b + now));
    a = round(round(fade * a) + round(key * value));
    b = round(round(fade * b) + key);
    return y;
  });
}

/** Both carried under one exponent, the largest so far. `count` adds up operations, an exponential as one. */
function withMaximum(
  { k, v, w, u }: Channel,
  round: Round,
  count: (operations: number) => void = () => {},
): Float64Array {
  let [a, b, p] = [0, 0, -1e38];
  return v.map((value, t) => {
    const bonus = round(u + k[t]);
    const top = Math.max(p, bonus);
    const [before, now] = [round(math.exp(round(p - top))), round(math.exp(round(bonus - top)))];
    const above = round(round(before * a) + round(now * value));
    const y = round(above / round(round(before * b) + now));
    const faded = round(p + w);
    const next = Math.max(faded, k[t]);
    const [kept, key] = [round(math.exp(round(faded - next))), round(math.exp(round(k[t] - next)))];
    a = round(round(kept * a) + round(key * value));
    b = round(round(kept * b) + key);
    p = next;
    count(20);
    return y;
  });
}

function drawChannels(random: Random, range: number, round: Round): Channel[] {
  const draw = (of: () => number) => Float64Array.from({ length: T }, () => round(of()));
  return Array.from({ length: D }, () => ({
    k: draw(() => 2 * range * (random.uniform() - 0.5)),
    v: draw(() => random.normal()),
    w: round(-0.5 * random.uniform()),
    u: round(random.normal()),
  }));
}

const farthest = (a: ArrayLike<number>, b: Float64Array): number =>
  Math.max(...b.map((value, i) => Math.abs(a[i] - value)));

/** The operator in f64 by form, [T,D] each. */
function operator(channels: readonly Channel[]) {
  return inDoubles(() => {
    const rows = (part: 'k' | 'v') =>
      doubles(
        Float64Array.from({ length: T * D }, (_, i) => channels[i % D][part][Math.floor(i / D)]),
        1,
        T,
        D,
      );
    const vector = (part: 'w' | 'u') =>
      doubles(
        channels.map((channel) => channel[part]),
        D,
      );
    const inputs = { k: rows('k'), v: rows('v'), decay: vector('w'), bonus: vector('u') };
    return { recurrent: wkv4(inputs, { form: 'recurrent' }).y, chunk: wkv4(inputs, { form: 'chunk' }).y };
  });
}

/** Largest differences from the double sum by the size of keys, and the share of outputs that are no numbers. */
export async function measureStability(): Promise<Measurement[]> {
  const random = new Random('wkv');
  const made: Measurement[] = [];
  for (const at of KEY_RANGES) {
    // Inputs that f32 holds exactly, so that only the arithmetic differs.
    const channels = drawChannels(random, at, Math.fround);
    const wanted = channels.map(doubleSum);
    const worst = (of: (channel: Channel, c: number) => ArrayLike<number>) =>
      Math.max(...channels.map((channel, c) => farthest(of(channel, c), wanted[c])));
    made.push({ arm: 'with a maximum', at, value: worst((c) => withMaximum(c, exact)) });
    made.push({ arm: 'with a maximum, f32', at, value: worst((c) => withMaximum(c, Math.fround)) });
    const lost = channels.flatMap((c) => [...naive(c, Math.fround)]).filter((y) => !Number.isFinite(y));
    made.push({ arm: 'naive in f32: lost outputs', at, value: lost.length / (T * D) });
    if (at <= 30)
      made.push({ arm: 'naive in f32, small keys', at, value: worst((c) => naive(c, Math.fround)) });
    for (const [form, values] of Object.entries(await operator(channels)))
      made.push({
        arm: `operator: ${form}`,
        at,
        value: worst((_, c) => values.filter((__, i) => i % D === c)),
      });
  }
  const last = made.filter(({ arm }) => arm === 'naive in f32: lost outputs').at(-1)!;
  return [...made, { arm: 'naive in f32: lost outputs, largest keys', value: last.value }];
}

const SIZES = [64, 128, 256, 512];

/** Operations over tokens (d = 64) and over channels (T = 64), beside those of attention. */
export function measureOperations(): Measurement[] {
  const random = new Random('wkv operations');
  const count = (tokens: number, channels: number): number => {
    let total = 0;
    const draw = () => Float64Array.from({ length: tokens }, () => random.normal());
    for (let c = 0; c < channels; c++)
      withMaximum({ k: draw(), v: draw(), w: -0.1, u: 0 }, exact, (n) => (total += n));
    return total;
  };
  return SIZES.flatMap((at) => [
    { arm: 'over tokens', at, value: count(at, 64) },
    { arm: 'over channels', at, value: count(64, at) },
    {
      arm: 'attention over tokens',
      at,
      value: mixerCost('attention', { tokens: at, heads: 1, key: 64, value: 64 }).flops,
    },
  ]);
}
