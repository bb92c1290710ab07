/** Hoffmann et al. 2022: training compute-optimal large language models. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';
import { optimalSizeFromConstants } from './optimal-size.js';
import { parametricFit } from './parametric-fit.js';

/** The paper. */
export const chinchillaPaper: Paper = {
  id: 'chinchilla',
  title: 'Training Compute-Optimal Large Language Models',
  year: 2022,
  arxiv: '2203.15556v1',
  authors: 'Jordan Hoffmann, Sebastian Borgeaud, Arthur Mensch et al.',
  family: 'scaling-laws',
  claims,
  experiments: [parametricFit, optimalSizeFromConstants],
};
