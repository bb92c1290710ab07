/** Dao et al. 2022: FlashAttention, attention without the matrix. */
import { attentionTraffic } from '../../cost/index.js';
import { withExponent } from '../exponents.js';
import type { Measurement } from '../ledger/types.js';
import type { Experiment, Paper } from '../paper.js';
import { reanalysis } from '../reanalysis.js';
import { timedPart, timesOf } from '../timed-part.js';
import { claims } from './claims.js';
import { measureExactness } from './exactness.js';
import { times } from './times.js';
import { measurePeaks, measureTraffic, TYPICAL } from './traffic.js';

function exactness(): Measurement[] {
  const made = measureExactness();
  const wrong = made.filter(({ arm }) => arm === 'without rescaling').map(({ value }) => value);
  return [...made, { arm: 'without rescaling: largest', value: Math.max(...wrong) }];
}

function fewer(): Measurement[] {
  const { tokens, width } = TYPICAL;
  const tiny = { tokens, width, onChip: 4 * width };
  return [
    ...measureTraffic().filter(({ arm }) => arm === 'naive over flash'),
    {
      arm: 'naive over flash, tiny memory',
      value: attentionTraffic('naive', tiny) / attentionTraffic('flash', tiny),
    },
  ];
}

const counts = reanalysis({
  id: 'counts',
  about: 'words moved, memory held, and the equality of both algorithms',
  claims: [
    'flashattention/exact',
    'flashattention/memory-accesses',
    'flashattention/fewer-accesses',
    'flashattention/linear-memory',
  ],
  seconds: 6,
  analyse: async () => ({
    measurements: {
      'flashattention/exact': exactness(),
      'flashattention/memory-accesses': withExponent(measureTraffic().filter(({ at }) => at !== undefined)),
      'flashattention/fewer-accesses': fewer(),
      'flashattention/linear-memory': withExponent(measurePeaks()),
    },
  }),
});

const timing: Experiment = {
  id: 'timing',
  about: 'tiled attention against attention with its scores in memory',
  claims: ['flashattention/faster'],
  parts: (setup) => [timedPart(times, setup)],
  collect: (results) => ({
    config: {},
    measurements: { 'flashattention/faster': timesOf(results, 'times') },
    curves: [],
  }),
};

/** The paper. */
export const flashattention: Paper = {
  id: 'flashattention',
  title: 'FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness',
  year: 2022,
  arxiv: '2205.14135v2',
  authors: 'Tri Dao, Daniel Y. Fu, Stefano Ermon et al.',
  family: 'softmax-attention',
  claims,
  experiments: [counts, timing],
};
