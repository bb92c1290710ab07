/** How many pairs a mixer recalls by the size of its state. Pilot: docs/pilots/based.md. */
import { Random } from '../../core/random.js';
import { associativeRecall, shareWithin, type RecallOptions } from '../../tasks/associative-recall.js';
import type { Measurement, Size } from '../ledger/types.js';
import type { Experiment, Results, Setup } from '../paper.js';
import {
  sequenceFindings,
  sequenceParts,
  type SequenceArm,
  type SequencePlan,
  type SequenceStudy,
} from '../sequence-experiment.js';
import type { SequenceRecipe } from '../sequence-training.js';
import { RECALL_CLAIMS, recallSeeds } from './criteria.js';
import { recallModel, recallState, type RecallMixer, type RecallModel } from './model.js';

type Arm = SequenceArm<RecallOptions, RecallModel>;
type Plan = SequencePlan<RecallOptions, RecallModel>;

/** Tokens that a query of a window sees. */
const WINDOW = 4;
const window: RecallMixer = { kind: 'window', window: WINDOW };
const taylor = (key: number): RecallMixer => ({ kind: 'linear', key, features: 'taylor-symmetric' });

/** Two layers: a sliding window, and what carries over distances. `keys`: d' of the small, middle and large state. */
function armsOf(
  width: number,
  keys: readonly [number, number, number],
  task: RecallOptions,
  recipe: SequenceRecipe,
): Plan['arms'] {
  const [small, middle, large] = keys.map(taylor);
  const arm = (mixers: readonly RecallMixer[]): Arm => ({
    model: { width, vocabulary: task.vocabulary as number, mixers },
    recipe,
    task,
  });
  return {
    'large state': arm([window, large]),
    attention: arm([window, { kind: 'attention' }]),
    'middle state': arm([window, middle]),
    'small state': arm([window, small]),
    '1 + elu': arm([window, { kind: 'linear', key: width, features: 'elu' }]),
    'without a window': arm([middle, middle]),
    'only windows': { ...arm([window, window]), rateFrom: 'middle state' },
  };
}

/** What a size trains. The largest rate stands first: of rates that tune equally well it is the one taken. */
export function recallPlan(size: Size): Plan {
  switch (size) {
    case 'smoke':
      return {
        arms: armsOf(
          8,
          [1, 2, 4],
          { time: 16, pairs: 2, vocabulary: 8 },
          { steps: 3, batch: 2, warmup: 1, evaluations: 1 },
        ),
        rates: [1e-2],
        tests: [{ time: 0, count: 8 }],
      };
    case 'lesson':
      return {
        arms: armsOf(
          16,
          [2, 4, 8],
          { time: 64, pairs: 12, vocabulary: 64 },
          { steps: 700, batch: 32, warmup: 140, evaluations: 7 },
        ),
        rates: [2e-2, 1e-2],
        tests: [{ time: 0, count: 512 }],
      };
    case 'full':
      return {
        arms: armsOf(
          32,
          [3, 6, 12],
          { time: 256, pairs: 48, vocabulary: 256 },
          { steps: 6000, batch: 64, warmup: 1200, evaluations: 12 },
        ),
        rates: [1e-2, 5e-3, 2.5e-3],
        tests: [{ time: 0, count: 512 }],
      };
    default:
      return size satisfies never;
  }
}

const study: SequenceStudy<RecallOptions, RecallModel> = {
  plan: recallPlan,
  model: recallModel,
  task: associativeRecall,
  test: (options, time) => (random, count) => associativeRecall(options).generate(random, count, time),
  seeds: recallSeeds,
};

/** Tokens back that two layers of windows see. */
const REACH = 2 * (WINDOW - 1);
const SHARE_SEQUENCES = 2000;

/** Bytes that the second layer's arm keeps, and the share of answers that windows can see, beside every seed. */
function added(results: Results, setup: Setup): Measurement[] {
  const { arms } = recallPlan(setup.size);
  const { task: options } = arms['only windows'];
  const task = associativeRecall(options);
  const sequences = task.generate(new Random('share of the windows'), SHARE_SEQUENCES);
  const share = shareWithin(sequences, REACH);
  const seeds = new Set(
    (results['training'] ?? []).map(({ result }) => (result as unknown as { seed: number }).seed),
  );
  const bytes = (arm: string) => recallState(arms[arm].model, task.time);
  return [
    ...[...seeds].map((seed) => ({ arm: 'share of the windows', seed, value: share })),
    ...Object.keys(arms).map((arm) => ({ arm: `${arm}-bytes`, value: bytes(arm) })),
    { arm: 'bytes over those with a window', value: bytes('without a window') / bytes('middle state') },
  ];
}

/** The experiment. */
export const recall: Experiment = {
  id: 'recall',
  about: 'how many pairs a mixer recalls by the size of its state',
  claims: RECALL_CLAIMS,
  parts: (setup) => sequenceParts(setup, study),
  collect: (results, setup) => {
    const found = sequenceFindings(results, setup, study, RECALL_CLAIMS);
    const more = added(results, setup);
    const measurements = Object.fromEntries(
      Object.entries(found.measurements).map(([claim, values]) => [claim, [...values, ...more]]),
    );
    return { ...found, measurements };
  },
};
