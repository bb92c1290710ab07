/** Gu and Dao 2023: Mamba, linear-time sequence modeling with selective state spaces. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';
import { cost } from './cost.js';
import { generation } from './generation.js';
import { inductionHeads } from './induction-heads.js';
import { languageModelling } from './language-modelling.js';
import { selectiveCopying } from './selective-copying.js';

/** The paper. */
export const mamba: Paper = {
  id: 'mamba',
  title: 'Mamba: Linear-Time Sequence Modeling with Selective State Spaces',
  year: 2023,
  arxiv: '2312.00752v2',
  authors: 'Albert Gu and Tri Dao',
  family: 'selective-scan',
  claims,
  experiments: [cost, generation, selectiveCopying, inductionHeads, languageModelling],
};
