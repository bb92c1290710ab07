/** Besiroglu et al. 2024: Chinchilla's third approach again. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';
import { refit } from './refit.js';

/** The paper. */
export const chinchillaReplication: Paper = {
  id: 'chinchilla-replication',
  title: 'Chinchilla Scaling: A replication attempt',
  year: 2024,
  arxiv: '2404.10102v2',
  authors: 'Tamay Besiroglu, Ege Erdil, Matthew Barnett and Josh You',
  family: 'scaling-laws',
  claims,
  experiments: [refit],
};
