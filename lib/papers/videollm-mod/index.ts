/** Wu et al. 2024: VideoLLM-MoD, vision tokens that skip layers. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';
import { skipping } from './skipping.js';

/** The paper. */
export const videollmMod: Paper = {
  id: 'videollm-mod',
  title: 'VideoLLM-MoD: Efficient Video-Language Streaming with Mixture-of-Depths Vision Computation',
  year: 2024,
  arxiv: '2408.16730v1',
  authors: 'Shiwei Wu, Joya Chen, Kevin Qinghong Lin et al.',
  family: 'moe-routing',
  claims,
  experiments: [skipping],
};
