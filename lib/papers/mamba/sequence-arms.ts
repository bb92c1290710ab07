/** The models of the sequence tasks: S6 and what is left of it when parts are switched off, all of equal parameters. */
import { ArgumentError } from '../../core/errors.js';
import { matchParameters, parameterCount, type LanguageModelConfig } from '../../nn/index.js';

type MambaModel = Extract<LanguageModelConfig, { kind: 'mamba' }>;

/** Two layers as in the paper; its width is 64, its state 16. */
const base = (width: number, vocabulary: number): MambaModel => ({
  kind: 'mamba',
  width,
  layers: 2,
  vocabulary,
  stateSize: 16,
});

const FIXED = { delta: false, b: false, c: false };

/** What each arm leaves of S6. */
const REDUCED = {
  delta: { selective: { ...FIXED, delta: true } },
  b: { selective: { ...FIXED, b: true } },
  c: { selective: { ...FIXED, c: true } },
  lti: { selective: FIXED },
  's6-without-conv': { convWidth: 0 },
  'lti-without-conv': { selective: FIXED, convWidth: 0 },
} satisfies { [arm: string]: Partial<MambaModel> };

/** Names of the Mamba arms. */
export type MambaArm = 's6' | keyof typeof REDUCED;

/**
 * Gives a Mamba model the state size that brings its parameters closest to those of `reference`: what a switched-off part
 * would hold goes into more states.
 * @throws ArgumentError when the closest size is more than 2 % away
 */
function matchStates(config: MambaModel, reference: LanguageModelConfig): MambaModel {
  const target = parameterCount(reference);
  const away = (stateSize: number) => Math.abs(parameterCount({ ...config, stateSize }) - target);
  let best = 1;
  for (let n = 2; n <= 256; n++) if (away(n) < away(best)) best = n;
  if (away(best) > 0.02 * target)
    throw new ArgumentError(
      `matchStates: config must reach ${target} parameters within 2 %, got a distance of ${away(best)} at ${best} states`,
    );
  return { ...config, stateSize: best };
}

/** The Mamba arms, each within 2 % of the parameters of S6. */
export function mambaArms(width: number, vocabulary: number): Record<MambaArm, LanguageModelConfig> {
  const s6 = base(width, vocabulary);
  const reduced = Object.entries(REDUCED).map(([arm, parts]) => [arm, matchStates({ ...s6, ...parts }, s6)]);
  return { s6, ...(Object.fromEntries(reduced) as Record<keyof typeof REDUCED, MambaModel>) };
}

/**
 * Two layers of softmax attention with the parameters of S6 at `width`. As in the paper attention is wider than Mamba and
 * nearly all of its parameters are projections; a narrow MLP takes what is left.
 */
export function attentionArm(
  width: number,
  vocabulary: number,
  attention: { width: number; heads: number; positions: 'rope' | 'none' },
): LanguageModelConfig {
  const model: LanguageModelConfig = { kind: 'transformer', layers: 2, vocabulary, ...attention };
  return matchParameters(model, base(width, vocabulary));
}
