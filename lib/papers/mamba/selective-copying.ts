/** Selective copying: which part of a Mamba block solves it. The pilot is in docs/pilots/mamba-tasks.md. */
import { selectiveCopying as copyingTask, type CopyingOptions } from '../../tasks/selective-copying.js';
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
import { mambaArms } from './sequence-arms.js';
import { copyingSeeds, SELECTIVE_COPYING_CLAIMS } from './sequence-claims.js';

type CopyingArm = SequenceArm<CopyingOptions>;

/** How much longer the arms of `LONGER` train. */
const LONGER_FACTOR = 4;

/**
 * The arms. `lti-longer` trains four times the steps at the rate of `lti`. The controls take the rate of their arm on
 * the task itself: `-fixed` with evenly spaced data tokens, `-shuffled` with answers that have nothing to do with them.
 */
function armsOf(
  width: number,
  task: CopyingOptions,
  recipe: SequenceRecipe,
): { readonly [arm: string]: CopyingArm } {
  const models = mambaArms(width, task.vocabulary as number);
  const tuned = Object.entries(models).map(([arm, model]) => [arm, { model, recipe, task }]);
  const longer: SequenceRecipe = { ...recipe, steps: LONGER_FACTOR * recipe.steps };
  const variant = (arm: 's6' | 'lti', name: 'fixed' | 'shuffled'): CopyingArm => ({
    model: models[arm],
    recipe,
    task: { ...task, variant: name },
    rateFrom: arm,
  });
  return {
    'lti-longer': { model: models.lti, recipe: longer, task, rateFrom: 'lti' },
    ...(Object.fromEntries(tuned) as { [arm: string]: CopyingArm }),
    's6-fixed': variant('s6', 'fixed'),
    'lti-fixed': variant('lti', 'fixed'),
    's6-shuffled': variant('s6', 'shuffled'),
    'lti-shuffled': variant('lti', 'shuffled'),
  };
}

/** What a size trains. */
export function copyingPlan(size: Size): SequencePlan<CopyingOptions> {
  switch (size) {
    case 'smoke':
      return {
        arms: armsOf(
          8,
          { context: 8, marked: 2, vocabulary: 5 },
          { steps: 3, batch: 2, warmup: 1, evaluations: 1 },
        ),
        rates: [1e-2],
        tests: [{ time: 0, count: 8 }],
      };
    case 'lesson':
      return {
        arms: armsOf(
          32,
          { context: 32, marked: 4, vocabulary: 8 },
          { steps: 1000, batch: 16, warmup: 200, evaluations: 8 },
        ),
        rates: [3.5e-3, 5e-3, 7e-3, 1e-2],
        tests: [{ time: 0, count: 1024 }],
      };
    case 'full':
      return {
        arms: armsOf(
          64,
          { context: 64, marked: 8, vocabulary: 16 },
          { steps: 8000, batch: 16, warmup: 1600, evaluations: 16 },
        ),
        rates: [2.5e-3, 5e-3, 1e-2, 2e-2],
        tests: [{ time: 0, count: 1024 }],
      };
    default:
      return size satisfies never;
  }
}

const study: SequenceStudy<CopyingOptions> = {
  plan: copyingPlan,
  model: (config) => config,
  task: copyingTask,
  test: (options, time) => (random, count) => copyingTask(options).generate(random, count, time),
  seeds: copyingSeeds,
};

/** The experiment. */
export const selectiveCopying: Experiment = {
  id: 'selective-copying',
  about: 'which part of a Mamba block solves selective copying',
  claims: SELECTIVE_COPYING_CLAIMS,
  parts: (setup) => sequenceParts(setup, study),
  collect: (results, setup) => sequenceFindings(results, setup, study, SELECTIVE_COPYING_CLAIMS),
};
