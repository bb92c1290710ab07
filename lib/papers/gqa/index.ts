/** Ainslie and others 2023: grouped-query attention and uptraining from multi-head checkpoints. */
import { decodeTimes } from '../decode-times.js';
import type { Experiment, Paper } from '../paper.js';
import { reanalysis } from '../reanalysis.js';
import { timedPart, timesOf } from '../timed-part.js';
import { claims } from './claims.js';
import { measureCache } from './counts.js';
import { uptraining } from './uptraining.js';

const counts = reanalysis({
  id: 'counts',
  about: 'bytes of the cache by the number of groups',
  claims: ['gqa/cache'],
  seconds: 1,
  analyse: async () => ({ measurements: { 'gqa/cache': measureCache() } }),
});

const timing: Experiment = {
  id: 'timing',
  about: decodeTimes.about,
  claims: ['gqa/time-between'],
  parts: (setup) => [timedPart(decodeTimes, setup)],
  collect: (results) => ({
    config: {},
    measurements: { 'gqa/time-between': timesOf(results, decodeTimes.name) },
    curves: [],
  }),
};

/** The paper. */
export const gqa: Paper = {
  id: 'gqa',
  title: 'GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints',
  year: 2023,
  arxiv: '2305.13245v3',
  authors:
    'Joshua Ainslie, James Lee-Thorp, Michiel de Jong, Yury Zemlyanskiy, Federico Lebrón and Sumit Sanghai',
  family: 'softmax-attention',
  claims,
  experiments: [counts, timing, uptraining],
};
