/** The models and sizes of the Mamba experiments. */
import { matchParameters, type LanguageModelConfig } from '../../nn/index.js';
import type { Recipe } from '../language.js';
import type { Size } from '../ledger/types.js';

/** What one size trains. */
export interface LanguagePlan {
  mamba: LanguageModelConfig;
  transformer: LanguageModelConfig;
  recipe: Recipe;
  /** Learning rates tried for each arm. */
  rates: readonly number[];
}

/**
 * Two Mamba blocks stand against one transformer block (attention and MLP), as in the paper's models; the hidden width
 * of the MLP makes the parameters equal. SwiGLU, RoPE and RMSNorm are the paper's "Transformer++".
 */
function pair(width: number, layers: number, heads: number): Pick<LanguagePlan, 'mamba' | 'transformer'> {
  const mamba: LanguageModelConfig = { kind: 'mamba', width, layers: 2 * layers };
  const transformer = matchParameters({ kind: 'transformer', width, layers, heads, mlp: 'swiglu' }, mamba);
  return { mamba, transformer };
}

/** Geometric grid around what suits models of this size; the pilot is in docs/pilots/mamba.md. */
const RATES = [1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2];

export function languagePlan(size: Size): LanguagePlan {
  switch (size) {
    case 'smoke':
      return {
        ...pair(16, 1, 1),
        recipe: {
          steps: 6,
          batch: 2,
          time: 32,
          warmup: 2,
          windows: { tuning: 16, reporting: 16 },
          evaluations: 1,
        },
        rates: [4e-3],
      };
    case 'lesson':
      return {
        ...pair(64, 2, 2),
        recipe: {
          steps: 600,
          batch: 8,
          time: 128,
          warmup: 30,
          windows: { tuning: 256, reporting: 384 },
          evaluations: 4,
        },
        rates: RATES,
      };
    case 'full':
      return {
        ...pair(128, 4, 4),
        recipe: {
          steps: 5000,
          batch: 16,
          time: 256,
          warmup: 200,
          windows: { tuning: 192, reporting: 192 },
          evaluations: 10,
        },
        rates: RATES.map((rate) => rate / 2),
      };
    default:
      return size satisfies never;
  }
}
