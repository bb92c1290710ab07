/** Induction heads: which mixer recalls over distances it was not trained on. Pilot: docs/pilots/mamba-tasks.md. */
import { inductionHeads as inductionTask, type InductionOptions } from '../../tasks/induction-heads.js';
import type { Size } from '../ledger/types.js';
import type { Experiment } from '../paper.js';
import {
  sequenceFindings,
  sequenceParts,
  type SequenceArm,
  type SequencePlan,
  type SequenceStudy,
} from '../sequence-experiment.js';
import type { SequenceRecipe } from '../sequence-training.js';
import { attentionArm, mambaArms } from './sequence-arms.js';
import { INDUCTION_HEADS_CLAIMS, inductionSeeds } from './sequence-claims.js';

function armsOf(
  width: number,
  attention: { width: number; heads: number },
  task: InductionOptions,
  recipe: SequenceRecipe,
): { readonly [arm: string]: SequenceArm<InductionOptions> } {
  const vocabulary = task.vocabulary as number;
  const { s6, lti } = mambaArms(width, vocabulary);
  const models = {
    s6,
    lti,
    'attention-rope': attentionArm(width, vocabulary, { ...attention, positions: 'rope' }),
    'attention-none': attentionArm(width, vocabulary, { ...attention, positions: 'none' }),
  };
  return Object.fromEntries(Object.entries(models).map(([arm, model]) => [arm, { model, recipe, task }]));
}

/** Test lengths: from that of training by powers of two to `most`. */
const lengths = (from: number, most: number, count: number) =>
  Array.from({ length: Math.round(Math.log2(most / from)) + 1 }, (_, i) => ({ time: from * 2 ** i, count }));

/** What a size trains. The largest rate stands first: of rates that tune equally well it is the one taken. */
export function inductionPlan(size: Size): SequencePlan<InductionOptions> {
  switch (size) {
    case 'smoke':
      return {
        arms: armsOf(
          8,
          { width: 8, heads: 1 },
          { time: 16, queries: 2, vocabulary: 5 },
          { steps: 3, batch: 2, warmup: 1, evaluations: 1 },
        ),
        rates: [1e-2],
        tests: lengths(16, 32, 8),
      };
    case 'lesson':
      return {
        arms: armsOf(
          32,
          { width: 48, heads: 3 },
          { time: 64, queries: 8, vocabulary: 16 },
          { steps: 2400, batch: 8, warmup: 480, evaluations: 8 },
        ),
        rates: [2e-2, 1e-2, 5e-3, 2.5e-3],
        tests: lengths(64, 1024, 128),
      };
    case 'full':
      return {
        arms: armsOf(
          64,
          { width: 88, heads: 4 },
          { time: 256, queries: 8, vocabulary: 16 },
          { steps: 16000, batch: 8, warmup: 3200, evaluations: 16 },
        ),
        rates: [1e-2, 5e-3, 2.5e-3, 1e-3],
        tests: lengths(256, 16384, 64),
      };
    default:
      return size satisfies never;
  }
}

const study: SequenceStudy<InductionOptions> = {
  plan: inductionPlan,
  model: (config) => config,
  task: inductionTask,
  test: (options, time) => (random, count) => inductionTask(options).generateTest(random, count, time),
  seeds: inductionSeeds,
};

/** The experiment. */
export const inductionHeads: Experiment = {
  id: 'induction-heads',
  about: 'which mixer recalls over distances it was not trained on',
  claims: INDUCTION_HEADS_CLAIMS,
  parts: (setup) => sequenceParts(setup, study),
  collect: (results, setup) => sequenceFindings(results, setup, study, INDUCTION_HEADS_CLAIMS),
};
