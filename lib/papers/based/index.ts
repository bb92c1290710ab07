/** Arora and others 2024: simple linear attention language models balance the recall-throughput tradeoff. */
import { withExponent } from '../exponents.js';
import type { Paper } from '../paper.js';
import { reanalysis } from '../reanalysis.js';
import { claims } from './claims.js';
import { measureMap, measureState } from './counts.js';
import { recall } from './recall.js';

const counts = reanalysis({
  id: 'counts',
  about: 'the Taylor feature map against its series, bytes of states',
  claims: ['based/taylor-map', 'based/state-bytes'],
  seconds: 1,
  analyse: async () => ({
    measurements: {
      'based/taylor-map': await measureMap(),
      'based/state-bytes': withExponent(measureState()),
    },
  }),
});

/** The paper. */
export const based: Paper = {
  id: 'based',
  title: 'Simple linear attention language models balance the recall-throughput tradeoff',
  year: 2024,
  arxiv: '2402.18668v2',
  authors:
    'Simran Arora, Sabri Eyuboglu, Michael Zhang, Aman Timalsina, Silas Alberti, Dylan Zinsley, James Zou, Atri Rudra and Christopher Ré',
  family: 'linear-attention',
  claims,
  experiments: [counts, recall],
};
