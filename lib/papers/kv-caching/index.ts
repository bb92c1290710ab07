/** Key/value caching: a topic of the reading lists rather than one paper; the source describes incremental inference. */
import type { Measurement } from '../ledger/types.js';
import { withExponent } from '../exponents.js';
import type { Experiment, Paper } from '../paper.js';
import { reanalysis } from '../reanalysis.js';
import { timedPart, timesOf } from '../timed-part.js';
import { claims } from './claims.js';
import { measureBytes, measureLogits, measureOperations } from './counts.js';
import { times } from './times.js';

async function logits(): Promise<Measurement[]> {
  const made = await measureLogits();
  const other = made.filter(({ arm }) => arm === 'cache of another text').map(({ value }) => value);
  return [...made, { arm: 'cache of another text: smallest', value: Math.min(...other) }];
}

const counts = reanalysis({
  id: 'counts',
  about: 'logits, operations and bytes with a cache',
  claims: ['kv-caching/same-logits', 'kv-caching/operations-per-token', 'kv-caching/bytes'],
  seconds: 4,
  analyse: async () => ({
    measurements: {
      'kv-caching/same-logits': await logits(),
      'kv-caching/operations-per-token': withExponent(measureOperations()),
      'kv-caching/bytes': measureBytes(),
    },
  }),
});

const timing: Experiment = {
  id: 'timing',
  about: 'one generated token with a cache and without',
  claims: ['kv-caching/time'],
  parts: (setup) => [timedPart(times, setup)],
  collect: (results) => ({
    config: {},
    measurements: { 'kv-caching/time': timesOf(results, 'times') },
    curves: [],
  }),
};

/** The topic. */
export const kvCaching: Paper = {
  id: 'kv-caching',
  title: 'Key/value caching (a topic; its source: Fast Transformer Decoding, incremental inference)',
  year: 2019,
  arxiv: '1911.02150v1',
  authors: 'Noam Shazeer',
  family: 'softmax-attention',
  claims,
  experiments: [counts, timing],
};
