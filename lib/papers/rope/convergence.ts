/** Byte models that differ in their positions alone: tuned alike, then fresh seeds. Pilot: docs/pilots/rope.md. */
import { KneserNey } from '../../tasks/kneser-ney.js';
import type { LanguageModelConfig, Positions } from '../../nn/index.js';
import {
  asPlain,
  probeLanguageModel,
  scoredRange,
  shuffledEntropy,
  trainingSeconds,
  trainLanguageModel,
  type LanguageProbe,
  type LanguageResult,
  type LanguageTask,
  type Recipe,
} from '../language.js';
import type { Curve, Measurement, Size } from '../ledger/types.js';
import {
  resultOf,
  type Experiment,
  type Part,
  type Plain,
  type Results,
  type Setup,
  type Task,
} from '../paper.js';
import { bestRate, tunedTraining } from '../tuned-training.js';
import { CONVERGENCE_CLAIMS, convergenceSeeds } from './criteria.js';

const ARMS: readonly Positions[] = ['rope', 'learned', 'sinusoidal', 'none'];

/** What one size trains. */
export interface ConvergencePlan {
  /** Without its positions. */
  model: Extract<LanguageModelConfig, { kind: 'transformer' }>;
  recipe: Recipe;
  rates: readonly number[];
}

const SHAPE = { kind: 'transformer', layers: 2, heads: 2, mlp: 'swiglu' } as const;

/** What a size trains. The largest rate stands first: of rates that tune equally well it is the one taken. */
export function convergencePlan(size: Size): ConvergencePlan {
  switch (size) {
    case 'smoke':
      return {
        model: { ...SHAPE, heads: 1, width: 16, hidden: 24 },
        recipe: {
          ...{ steps: 6, batch: 2, time: 32, warmup: 2, evaluations: 1 },
          windows: { tuning: 16, reporting: 16 },
        },
        rates: [4e-3],
      };
    case 'lesson':
      return {
        model: { ...SHAPE, width: 64, hidden: 168 },
        recipe: {
          ...{ steps: 300, batch: 8, time: 128, warmup: 30, evaluations: 4 },
          windows: { tuning: 128, reporting: 384 },
        },
        rates: [8e-3, 4e-3, 2e-3],
      };
    case 'full':
      return {
        model: { ...SHAPE, layers: 4, heads: 4, width: 128, hidden: 336 },
        recipe: {
          ...{ steps: 5000, batch: 16, time: 256, warmup: 200, evaluations: 10 },
          windows: { tuning: 192, reporting: 192 },
        },
        rates: [4e-3, 2e-3, 1e-3],
      };
    default:
      return size satisfies never;
  }
}

/** The model of an arm. */
export function modelWith(plan: ConvergencePlan, positions: Positions): LanguageModelConfig {
  return { ...plan.model, positions, ...(positions === 'learned' ? { context: plan.recipe.time } : {}) };
}

function trainingParts(setup: Setup): Part[] {
  const plan = convergencePlan(setup.size);
  const smoke = setup.size === 'smoke';
  const asTask = (inputs: Task['inputs']) => inputs as unknown as LanguageTask;
  const { tuning, reporting } = convergenceSeeds;
  return tunedTraining<LanguageProbe>({
    arms: ARMS,
    rates: plan.rates,
    seeds: { tuning, reporting: smoke ? reporting.slice(0, 1) : reporting },
    isolated: !smoke,
    inputs: ({ arm, rate, seed }) => {
      const model = modelWith(plan, arm as Positions);
      const inputs: LanguageTask = { arm, model, recipe: plan.recipe, rate, seed };
      return asPlain(inputs) as Task['inputs'];
    },
    probe: (inputs) => probeLanguageModel(asTask(inputs), setup.text, smoke ? 0.1 : 1.5),
    seconds: (inputs, probe) => trainingSeconds(asTask(inputs), probe),
    train: async (inputs, context) => asPlain(await trainLanguageModel(asTask(inputs), setup.text, context)),
  });
}

/** The loss of a model of pairs of bytes, which a model that learned anything beats. */
function bigramPart(setup: Setup): Part {
  const { recipe } = convergencePlan(setup.size);
  return {
    name: 'bigram',
    about: 'interpolated Kneser-Ney model of pairs of bytes',
    isolated: false,
    seconds: () => 1,
    tasks: () => [{ id: 'bigram', inputs: {} }],
    run: async () => {
      const { bytes, split } = setup.text.dataset;
      const { start, end } = scoredRange(setup.text, 'reporting', recipe);
      return new KneserNey(bytes.subarray(0, split), 2).bitsPerByte(bytes.subarray(0, end), start);
    },
  };
}

const resultsOf = (results: Results, part: string): LanguageResult[] =>
  (results[part] ?? []).map((done) => done.result as unknown as LanguageResult);

function measurements(results: Results, setup: Setup): Measurement[] {
  const trained = resultsOf(results, 'training');
  const bigram = resultOf<number>(results, 'bigram', 'bigram');
  const seeds = [...new Set(trained.map(({ seed }) => seed))];
  const entropy = trained.length > 0 ? shuffledEntropy(setup.text, convergencePlan(setup.size).recipe) : 0;
  const bytes = new Map(trained.map(({ arm, tokens }) => [arm, tokens]));
  return [
    ...trained.flatMap(({ arm, seed, reporting, shuffled }) => [
      { arm, seed, value: reporting ?? Infinity },
      { arm: `${arm}-shuffled`, seed, value: shuffled ?? Infinity },
    ]),
    ...seeds.map((seed) => ({ arm: 'entropy-shuffled', seed, value: entropy })),
    ...(bigram === undefined ? [] : seeds.map((seed) => ({ arm: 'kneser-ney-2', seed, value: bigram }))),
    ...[...bytes].map(([arm, value]) => ({ arm: `${arm}-bytes`, value })),
  ];
}

function curvesOf(results: Results): Curve[] {
  return ['tuning', 'training'].flatMap((part) =>
    resultsOf(results, part).flatMap(({ arm, seed, rate, curve, evaluations }): Curve[] => [
      { arm, seed, label: `${part}, rate ${rate}, training loss`, ...curve },
      { arm, seed, label: `${part}, rate ${rate}, validation loss`, ...evaluations },
    ]),
  );
}

const table = (results: Results, part: string): Plain =>
  resultsOf(results, part).map(
    ({ arm, rate, seed, tuning, reporting, parameters, seconds, fingerprint }) => ({
      ...{ arm, rate, seed, tuning, reporting, parameters, seconds, fingerprint },
    }),
  );

/** The experiment. */
export const convergence: Experiment = {
  id: 'convergence',
  about: 'byte models with rotary, added and no positions after equal steps',
  claims: CONVERGENCE_CLAIMS,
  text: true,
  parts: (setup) => [bigramPart(setup), ...trainingParts(setup)],
  collect: (results, setup) => {
    const plan = convergencePlan(setup.size);
    const found = measurements(results, setup);
    const prints = resultsOf(results, 'training').map((result) => result.fingerprint);
    return {
      config: {
        plan: asPlain(plan),
        tuning: table(results, 'tuning'),
        training: table(results, 'training'),
        chosen: asPlain(Object.fromEntries(ARMS.map((arm) => [arm, bestRate(results, arm, plan.rates)]))),
      },
      measurements: Object.fromEntries(CONVERGENCE_CLAIMS.map((claim) => [claim, found])),
      curves: curvesOf(results),
      ...(setup.backend === 'wasm' && prints.length > 0 ? { fingerprint: prints.join(' ') } : {}),
    };
  },
};
