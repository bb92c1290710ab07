/** Passes with as many tokens in a batch whatever the length of a sequence, and where two mixers take equally long. */
import { crossover, measurePeaks, mixerCost, type MeasuredMachine } from '../../cost/index.js';
import * as math from '../../core/math.js';
import { setThreads, threads } from '../../cpu/index.js';
import { lightningAttention, lightningSlopes } from '../../families/lightning-attention/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import { mul } from '../../ops/map/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { sum } from '../../ops/reduce/index.js';
import { cumsum } from '../../ops/scan/index.js';
import { reshape } from '../../ops/structure/index.js';
import { vjp } from '../../tensor/tape.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import { asPlain } from '../language.js';
import type { Measurement } from '../ledger/types.js';
import type { Part } from '../paper.js';
import { PASS_SAMPLING } from '../mixer-times.js';
import type { TimedPart, TimingBench } from '../timed-part.js';

const HEADS = 2;
const SIZE = 64;
const BLOCK = 64;
/** Tokens of a batch, whatever the length. */
export const TOKENS = { smoke: 256, lesson: 2048, full: 8192 } as const;

type Inputs = { q: Tensor; k: Tensor; v: Tensor };

function inputsOf(bench: TimingBench, tokens: number, length: number): Inputs {
  const draw = () => bench.normal(tokens / length, length, HEADS, SIZE);
  return { q: draw(), k: draw(), v: draw() };
}

const slopesOf = (bench: TimingBench): Tensor => bench.own(tensor(Float32Array.from(lightningSlopes(HEADS))));

/** Forward and backward; the gradient of the outputs are the outputs. */
function trained(inputs: Inputs, mixer: (p: Inputs) => Tensor): () => Tensor {
  return () => {
    const { outputs, pull } = vjp((p: Inputs) => ({ y: mixer(p) }), inputs);
    return pull({ y: outputs.y }).q;
  };
}

export const speed: TimedPart = {
  name: 'speed',
  about: 'passes with gradients over batches of as many tokens in longer and longer sequences',
  at: {
    smoke: [64, 128, 256],
    lesson: [256, 512, 1024, 2048],
    full: [1024, 2048, 4096, 8192],
  },
  sampling: PASS_SAMPLING,
  growth: (arm) => (arm === 'tiled attention' ? 1 : 0),
  cases: (bench, lengths, setup) => {
    const slopes = slopesOf(bench);
    const cases = lengths.flatMap((at) => {
      const inputs = inputsOf(bench, TOKENS[setup.size], at);
      const lightning = (p: Inputs) => lightningAttention({ ...p, slopes }, { form: 'chunk' }).y;
      const attention = ({ q, k, v }: Inputs) => softmaxAttention(q, k, v, { form: 'chunk' });
      return [
        { arm: 'lightning', at, run: trained(inputs, lightning) },
        { arm: 'tiled attention', at, run: trained(inputs, attention) },
      ];
    });
    return cases;
  },
};

export const crossing: TimedPart = {
  name: 'crossing',
  about: 'forward passes of lightning attention and of tiled attention over short sequences',
  at: {
    smoke: [32, 64, 128],
    lesson: [32, 64, 128, 256, 512, 1024, 2048],
    full: [32, 64, 128, 256, 512, 1024, 2048, 4096, 8192],
  },
  sampling: PASS_SAMPLING,
  growth: (arm) => (arm === 'tiled attention' ? 0.8 : 0),
  cases: (bench, lengths, setup) => {
    const slopes = slopesOf(bench);
    const cases = lengths.flatMap((at) => {
      const inputs = inputsOf(bench, TOKENS[setup.size], at);
      const { q, k, v } = inputs;
      return [
        { arm: 'lightning', at, run: () => lightningAttention({ ...inputs, slopes }, { form: 'chunk' }).y },
        { arm: 'tiled attention', at, run: () => softmaxAttention(q, k, v, { form: 'chunk' }) },
      ];
    });
    return cases;
  },
};

/** Linear attention by a cumulative sum: the states after every token, [T,K,V] of them, in memory. */
function cumulative({ q, k, v }: Inputs): Tensor {
  const [B, T, H, K] = k.shape;
  const written = mul(reshape(k, [B, T, H, K, 1]), reshape(v, [B, T, H, 1, K]));
  return sum(mul(reshape(q, [B, T, H, K, 1]), cumsum(written, 1)), 3);
}

/** Width of a head where all states are in memory. */
const NARROW = 32;

export const sums: TimedPart = {
  name: 'sums',
  about: 'a forward pass in blocks, token by token, and by a cumulative sum of states in memory',
  at: {
    smoke: [64, 128, 256],
    lesson: [256, 512, 1024, 2048],
    full: [1024, 2048, 4096, 8192],
  },
  sampling: PASS_SAMPLING,
  growth: () => 1,
  cases: (bench, lengths) => {
    const slopes = bench.own(tensor(new Float32Array(HEADS)));
    const weight = bench.normal(HEADS * NARROW, HEADS * NARROW);
    const cases = lengths.flatMap((at) => {
      const draw = () => bench.normal(1, at, HEADS, NARROW);
      const inputs = { q: draw(), k: draw(), v: draw() };
      const x = bench.normal(1, at, HEADS * NARROW);
      const form = (name: 'chunk' | 'recurrent') => () =>
        lightningAttention({ ...inputs, slopes }, { form: name }).y;
      return [
        { arm: 'lightning', at, run: form('chunk') },
        { arm: 'token by token', at, run: form('recurrent') },
        { arm: 'cumulative sum', at, run: () => cumulative(inputs) },
        { arm: 'linear map', at, run: () => matmul(x, weight) },
      ];
    });
    return cases;
  },
};

/** The machine's two roofs on one thread, measured before anything is timed. */
export const peaks: Part = {
  name: 'peaks',
  about: 'operations and bytes a second that this machine reaches',
  isolated: false,
  seconds: () => 2,
  tasks: () => [{ id: 'peaks', inputs: {} }],
  run: async () => {
    const before = threads();
    setThreads(1);
    try {
      return asPlain(await measurePeaks());
    } finally {
      setThreads(before);
    }
  },
};

/** Tokens at which a roofline says that both take equally long. */
export function predictedCrossing(machine: MeasuredMachine): number | undefined {
  const sizes = { heads: HEADS, key: SIZE, value: SIZE, chunk: BLOCK };
  return crossover(
    machine,
    (tokens) => mixerCost('attention', { ...sizes, tokens }),
    (tokens) => mixerCost('chunk', { ...sizes, tokens }),
  );
}

/**
 * Tokens at which the measured times of a repetition are equal, between two lengths by a power law; the shortest length
 * where lightning attention is ahead everywhere, none where it is nowhere.
 */
export function measuredCrossing(times: readonly Measurement[], seed: number): number | undefined {
  const own = (arm: string) =>
    times.filter((m) => m.arm === arm && m.seed === seed).sort((a, b) => a.at! - b.at!);
  const attention = own('tiled attention');
  const behind = own('lightning').map(({ at, value }, i) => ({
    at: at as number,
    log: math.log(value / attention[i].value),
  }));
  // The last length at which it is behind: short ones have times of their own.
  const last = behind.reduce((found, { log }, i) => (log > 0 ? i : found), -1);
  if (last === -1) return behind[0]?.at;
  const [before, after] = [behind[last], behind[last + 1]];
  if (!after) return undefined;
  const part = before.log / (before.log - after.log);
  return before.at * math.pow(after.at / before.at, part);
}

/** Predicted and measured crossings by repetition. */
export function crossings(times: readonly Measurement[], machine: MeasuredMachine): Measurement[] {
  const seeds = [...new Set(times.map(({ seed }) => seed as number))];
  const predicted = predictedCrossing(machine);
  return seeds.flatMap((seed): Measurement[] => {
    const measured = measuredCrossing(times, seed);
    return [
      ...(measured === undefined ? [] : [{ arm: 'measured crossing', seed, value: measured }]),
      ...(predicted === undefined ? [] : [{ arm: 'predicted crossing', seed, value: predicted }]),
    ];
  });
}
