/** Qin et al. 2024: various lengths, constant speed, with lightning attention. */
import type { MeasuredMachine } from '../../cost/index.js';
import { resultOf, type Experiment, type Findings, type Paper, type Plain } from '../paper.js';
import { reanalysis } from '../reanalysis.js';
import { timedPart, timesOf } from '../timed-part.js';
import { claims } from './claims.js';
import { measureForms, measureWork } from './forms.js';
import { crossing, crossings, peaks, predictedCrossing, speed, sums } from './times.js';

const counts = reanalysis({
  id: 'counts',
  about: 'tiled algorithms against the left product, and the work of a token',
  claims: ['lightning-attention/tiles', 'lightning-attention/work-per-token'],
  seconds: 2,
  analyse: async () => ({
    measurements: {
      'lightning-attention/tiles': await measureForms(),
      'lightning-attention/work-per-token': measureWork(),
    },
  }),
});

const timing: Experiment = {
  id: 'timing',
  about:
    'passes over batches of as many tokens in sequences of growing length; blocks against cumulative sums',
  claims: ['lightning-attention/constant-speed', 'lightning-attention/blocks-instead-of-cumsum'],
  parts: (setup) => [timedPart(speed, setup), timedPart(sums, setup)],
  collect: (results) => ({
    config: {},
    measurements: {
      'lightning-attention/constant-speed': timesOf(results, 'speed'),
      'lightning-attention/blocks-instead-of-cumsum': timesOf(results, 'sums'),
    },
    curves: [],
  }),
};

const overtaking: Experiment = {
  id: 'crossing',
  about: 'the length from which on lightning attention is faster: foretold, then measured',
  claims: ['lightning-attention/crossing'],
  parts: (setup) => [peaks, timedPart(crossing, setup)],
  collect: (results) => {
    const machine = resultOf<MeasuredMachine>(results, 'peaks', 'peaks');
    const times = timesOf(results, 'crossing');
    const config: Findings['config'] = machine
      ? { machine: machine as unknown as Plain, predicted: predictedCrossing(machine) ?? null }
      : {};
    return {
      config,
      measurements: {
        'lightning-attention/crossing': machine ? [...times, ...crossings(times, machine)] : times,
      },
      curves: [],
    };
  },
};

/** The paper. */
export const lightningAttentionPaper: Paper = {
  id: 'lightning-attention',
  title: 'Various Lengths, Constant Speed: Efficient Language Modeling with Lightning Attention',
  year: 2024,
  arxiv: '2405.17381v2',
  authors: 'Zhen Qin, Weigao Sun, Dong Li et al.',
  family: 'lightning-attention',
  claims,
  experiments: [counts, timing, overtaking],
};
