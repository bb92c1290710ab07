/** Su and others 2021: RoFormer, rotary position embedding. */
import type { Paper } from '../paper.js';
import { reanalysis } from '../reanalysis.js';
import { claims } from './claims.js';
import { convergence } from './convergence.js';
import { measureDecay, measureRelative } from './identity.js';

const counts = reanalysis({
  id: 'counts',
  about: 'what scores of turned queries and keys depend on, and how their bound falls',
  claims: ['rope/relative-position', 'rope/long-term-decay'],
  seconds: 1,
  analyse: async () => ({
    measurements: {
      'rope/relative-position': await measureRelative(),
      'rope/long-term-decay': measureDecay(),
    },
  }),
});

/** The paper. */
export const rope: Paper = {
  id: 'rope',
  title: 'RoFormer: Enhanced Transformer with Rotary Position Embedding',
  year: 2021,
  arxiv: '2104.09864v5',
  authors: 'Jianlin Su, Yu Lu, Shengfeng Pan, Ahmed Murtadha, Bo Wen and Yunfeng Liu',
  family: 'rotary',
  claims,
  experiments: [counts, convergence],
};
