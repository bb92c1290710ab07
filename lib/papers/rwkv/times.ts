/** A pass and a step of WKV, timed beside softmax attention. */
import { wkv4, wkv4Step } from '../../families/rwkv/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { tensor } from '../../tensor/tensor.js';
import { PASS_SAMPLING, STEP_SAMPLING } from '../mixer-times.js';
import type { TimedPart, TimingBench } from '../timed-part.js';

const WIDTH = 512;
const HEADS = 8;

const inputs = (bench: TimingBench, tokens: number) => ({
  k: bench.normal(1, tokens, WIDTH),
  v: bench.normal(1, tokens, WIDTH),
  decay: bench.own(tensor(Float32Array.from({ length: WIDTH }, (_, i) => -(i + 1) / WIDTH))),
  bonus: bench.normal(WIDTH),
});

export const pass: TimedPart = {
  name: 'pass',
  about: 'WKV and tiled attention of the same width over T tokens',
  at: {
    smoke: [64, 128, 256],
    lesson: [512, 1024, 2048, 4096],
    full: [1024, 2048, 4096, 8192, 16384],
  },
  sampling: PASS_SAMPLING,
  growth: (arm) => (arm === 'tiled attention' ? 2 : 1),
  cases: (bench, lengths) => {
    const weight = bench.normal(WIDTH, WIDTH);
    const cases = lengths.flatMap((at) => {
      const given = inputs(bench, at);
      const x = bench.normal(1, at, WIDTH);
      const [q, k, v] = [0, 1, 2].map(() => bench.normal(1, at, HEADS, WIDTH / HEADS));
      return [
        { arm: 'wkv', at, run: () => wkv4(given).y },
        { arm: 'tiled attention', at, run: () => softmaxAttention(q, k, v, { form: 'chunk' }) },
        { arm: 'linear map', at, run: () => matmul(x, weight) },
      ];
    });
    return cases;
  },
};

export const step: TimedPart = {
  name: 'step',
  about: 'one token of WKV after T tokens, and one query over a key/value cache',
  at: {
    smoke: [64, 128, 256],
    lesson: [1024, 2048, 4096, 8192],
    full: [4096, 8192, 16384, 32768],
  },
  sampling: STEP_SAMPLING,
  growth: (arm) => (arm === 'attention step' ? 1 : 0),
  cases: (bench, contexts) => {
    const given = inputs(bench, 1);
    const q = bench.normal(1, 1, HEADS, WIDTH / HEADS);
    const cases = contexts.flatMap((at) => {
      const before = { ...inputs(bench, at), decay: given.decay, bonus: given.bonus };
      const initialState = bench.own(scope(() => noGrad(() => wkv4(before).finalState)));
      const [k, v] = [0, 1].map(() => bench.normal(1, at, HEADS, WIDTH / HEADS));
      return [
        { arm: 'wkv step', at, run: () => wkv4Step({ ...given, initialState }).y },
        { arm: 'attention step', at, run: () => softmaxAttention(q, k, v, { form: 'step' }) },
      ];
    });
    return cases;
  },
};
