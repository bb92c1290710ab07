/** A pass and a step of retention, timed beside softmax attention. */
import { retention, retentionLogGammas, retentionStep } from '../../families/retention/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { tensor } from '../../tensor/tensor.js';
import { PASS_SAMPLING, STEP_SAMPLING } from '../mixer-times.js';
import type { TimedPart, TimingBench } from '../timed-part.js';

const HEADS = 4;
const KEY = 32;
const VALUE = 64;

/** q, k [1,T,H,K] and v [1,T,H,V]. */
const inputs = (bench: TimingBench, tokens: number) => ({
  q: bench.normal(1, tokens, HEADS, KEY),
  k: bench.normal(1, tokens, HEADS, KEY),
  v: bench.normal(1, tokens, HEADS, VALUE),
  decay: bench.own(tensor(Float32Array.from(retentionLogGammas(HEADS)))),
});

export const pass: TimedPart = {
  name: 'pass',
  about: 'retention over T tokens by chunks and token by token, and tiled attention',
  at: {
    smoke: [64, 128, 256],
    lesson: [256, 512, 1024, 2048],
    full: [1024, 2048, 4096, 8192],
  },
  sampling: PASS_SAMPLING,
  growth: (arm) => (arm === 'tiled attention' ? 2 : 1),
  cases: (bench, lengths) => {
    const weight = bench.normal(HEADS * VALUE, HEADS * VALUE);
    const cases = lengths.flatMap((at) => {
      const given = inputs(bench, at);
      const x = bench.normal(1, at, HEADS * VALUE);
      const [q, k, v] = [0, 1, 2].map(() => bench.normal(1, at, HEADS, VALUE));
      const form = (name: 'chunk' | 'recurrent') => () => retention(given, { form: name }).y;
      return [
        { arm: 'chunkwise', at, run: form('chunk') },
        { arm: 'recurrent', at, run: form('recurrent') },
        { arm: 'tiled attention', at, run: () => softmaxAttention(q, k, v, { form: 'chunk' }) },
        { arm: 'linear map', at, run: () => matmul(x, weight) },
      ];
    });
    return cases;
  },
};

/** By itself: what it leaves to be collected would be charged to the arms beside it. */
export const parallel: TimedPart = {
  name: 'parallel',
  about: 'retention over T tokens in its parallel representation',
  at: {
    smoke: [64, 128, 256],
    lesson: [256, 512, 1024, 2048],
    full: [256, 512, 1024, 2048],
  },
  growth: () => 2,
  cases: (bench, lengths) => {
    const cases = lengths.map((at) => {
      const given = inputs(bench, at);
      return { arm: 'parallel', at, run: () => retention(given, { form: 'parallel' }).y };
    });
    return cases;
  },
};

export const step: TimedPart = {
  name: 'step',
  about: 'one token of retention after T tokens, and one query over a key/value cache',
  at: {
    smoke: [64, 128, 256],
    lesson: [1024, 2048, 4096, 8192],
    full: [4096, 8192, 16384, 32768],
  },
  sampling: STEP_SAMPLING,
  growth: (arm) => (arm === 'attention step' ? 1 : 0),
  cases: (bench, contexts) => {
    const given = inputs(bench, 1);
    const q = bench.normal(1, 1, HEADS, VALUE);
    const cases = contexts.flatMap((at) => {
      const before = inputs(bench, at);
      const initialState = bench.own(scope(() => noGrad(() => retention(before).finalState)));
      const [k, v] = [0, 1].map(() => bench.normal(1, at, HEADS, VALUE));
      return [
        { arm: 'retention step', at, run: () => retentionStep({ ...given, initialState }).y },
        { arm: 'attention step', at, run: () => softmaxAttention(q, k, v, { form: 'step' }) },
      ];
    });
    return cases;
  },
};
