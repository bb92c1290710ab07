/** Stanić et al. 2023: the Languini Kitchen. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';

/** The paper. */
export const languiniKitchen: Paper = {
  id: 'languini-kitchen',
  title: 'The Languini Kitchen: Enabling Language Modelling Research at Different Scales of Compute',
  year: 2023,
  arxiv: '2309.11197v1',
  authors: 'Aleksandar Stanić, Dylan Ashley, Oleg Serikov et al.',
  family: 'scaling-laws',
  claims,
  experiments: [],
};
