/** Jin et al. 2025: BigMac, communication at a low dimension. */
import type { Paper } from '../paper.js';
import { claims } from './claims.js';
import { communication } from './communication.js';

/** The paper. */
export const bigmac: Paper = {
  id: 'bigmac',
  title:
    'BigMac: A Communication-Efficient Mixture-of-Experts Model Structure for Fast Training and Inference',
  year: 2025,
  arxiv: '2502.16927v2',
  authors: 'Zewen Jin, Shengnan Wang, Jiaan Zhu et al.',
  family: 'moe-routing',
  claims,
  experiments: [communication],
};
