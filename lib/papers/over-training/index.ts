/** Gadre et al. 2024: language models scale reliably with over-training and on downstream tasks. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';
import { grid } from './grid.js';

/** The paper. */
export const overTrainingPaper: Paper = {
  id: 'over-training',
  title: 'Language models scale reliably with over-training and on downstream tasks',
  year: 2024,
  arxiv: '2403.08540v2',
  authors: 'Samir Yitzhak Gadre, Georgios Smyrnis, Vaishaal Shankar et al.',
  family: 'scaling-laws',
  claims,
  experiments: [grid],
};
