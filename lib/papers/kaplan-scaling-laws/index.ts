/** Kaplan et al. 2020: scaling laws for neural language models. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';
import { grid } from './grid.js';

/** The paper. */
export const kaplanScalingLaws: Paper = {
  id: 'kaplan-scaling-laws',
  title: 'Scaling Laws for Neural Language Models',
  year: 2020,
  arxiv: '2001.08361v1',
  authors: 'Jared Kaplan, Sam McCandlish, Tom Henighan et al.',
  family: 'scaling-laws',
  claims,
  experiments: [grid],
};
