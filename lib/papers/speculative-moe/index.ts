/** Li et al. 2025: Speculative MoE, tokens and experts placed beforehand. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';
import { placement } from './placement.js';

/** The paper. */
export const speculativeMoe: Paper = {
  id: 'speculative-moe',
  title:
    'Speculative MoE: Communication Efficient Parallel MoE Inference with Speculative Token and Expert Pre-scheduling',
  year: 2025,
  arxiv: '2503.04398v3',
  authors: 'Yan Li, Pengfei Zheng, Shuang Chen et al.',
  family: 'moe-routing',
  claims,
  experiments: [placement],
};
