/** Peng et al. 2023: RWKV, recurrent networks for the transformer era. */
import { withExponent } from '../exponents.js';
import type { Experiment, Paper } from '../paper.js';
import { reanalysis } from '../reanalysis.js';
import { timedPart, timesOf } from '../timed-part.js';
import { claims } from './claims.js';
import { measureOperations, measureStability } from './stable.js';
import { measureState } from './state.js';
import { pass, step } from './times.js';

const counts = reanalysis({
  id: 'counts',
  about: 'the stable recurrence against the double sum, its operations and what it keeps',
  claims: ['rwkv/stable-recurrence', 'rwkv/operations', 'rwkv/state-bytes'],
  seconds: 2,
  analyse: async () => ({
    measurements: {
      'rwkv/stable-recurrence': await measureStability(),
      'rwkv/operations': withExponent(measureOperations()),
      'rwkv/state-bytes': measureState(),
    },
  }),
});

const timing: Experiment = {
  id: 'timing',
  about: 'a pass and a step of WKV beside attention',
  claims: ['rwkv/time-of-a-pass', 'rwkv/time-of-a-step'],
  parts: (setup) => [timedPart(pass, setup), timedPart(step, setup)],
  collect: (results) => ({
    config: {},
    measurements: {
      'rwkv/time-of-a-pass': timesOf(results, 'pass'),
      'rwkv/time-of-a-step': timesOf(results, 'step'),
    },
    curves: [],
  }),
};

/** The paper. */
export const rwkv: Paper = {
  id: 'rwkv',
  title: 'RWKV: Reinventing RNNs for the Transformer Era',
  year: 2023,
  arxiv: '2305.13048v2',
  authors: 'Bo Peng, Eric Alcaide, Quentin Anthony et al.',
  family: 'rwkv',
  claims,
  experiments: [counts, timing],
};
