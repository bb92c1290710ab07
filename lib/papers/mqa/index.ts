/** Shazeer 2019: one write-head is all you need. */
import { decodeTimes } from '../decode-times.js';
import { withExponent } from '../exponents.js';
import type { Experiment, Paper } from '../paper.js';
import { reanalysis } from '../reanalysis.js';
import { timedPart, timesOf } from '../timed-part.js';
import { claims } from './claims.js';
import { measureCache, measureIntensity } from './counts.js';

const counts = reanalysis({
  id: 'counts',
  about: 'words and operations of a step with many heads and with one',
  claims: ['mqa/intensity', 'mqa/cache'],
  seconds: 2,
  analyse: async () => ({
    measurements: { 'mqa/intensity': withExponent(measureIntensity()), 'mqa/cache': measureCache() },
  }),
});

const timing: Experiment = {
  id: 'timing',
  about: decodeTimes.about,
  claims: ['mqa/faster-step'],
  parts: (setup) => [timedPart(decodeTimes, setup)],
  collect: (results) => ({
    config: {},
    measurements: { 'mqa/faster-step': timesOf(results, decodeTimes.name) },
    curves: [],
  }),
};

/** The paper. */
export const mqa: Paper = {
  id: 'mqa',
  title: 'Fast Transformer Decoding: One Write-Head is All You Need',
  year: 2019,
  arxiv: '1911.02150v1',
  authors: 'Noam Shazeer',
  family: 'softmax-attention',
  claims,
  experiments: [counts, timing],
};
