/** Biderman et al. 2023: Pythia, a suite for analysing large language models across training and scaling. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';
import { zeroShot } from './zero-shot.js';

/** The paper. */
export const pythia: Paper = {
  id: 'pythia',
  title: 'Pythia: A Suite for Analyzing Large Language Models Across Training and Scaling',
  year: 2023,
  arxiv: '2304.01373v2',
  authors: 'Stella Biderman, Hailey Schoelkopf, Quentin Anthony et al.',
  family: 'scaling-laws',
  claims,
  experiments: [zeroShot],
};
