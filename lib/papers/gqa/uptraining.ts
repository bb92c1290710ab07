/** From multi-head to grouped-query attention by a short second training. Pilot: docs/pilots/gqa.md. */
import { CancelledError } from '../../core/errors.js';
import {
  cosineSchedule,
  HEAD_POOLINGS,
  languageModel,
  toGroupedQueryAttention,
  train,
  windowsOf,
  type HeadPooling,
  type LanguageModelConfig,
  type LanguageModelParameters,
} from '../../nn/index.js';
import type { TrainingText } from '../../tasks/text.js';
import { treeTensors, type Tree } from '../../tensor/tree.js';
import {
  asPlain,
  makespan,
  probeLanguageModel,
  scoreBytes,
  scoredRange,
  trainingSeconds,
  type LanguageProbe,
  type LanguageTask,
  type Recipe,
} from '../language.js';
import type { Curve, Measurement, Size } from '../ledger/types.js';
import type { Done, Experiment, Part, Results, Setup, Task, TaskContext } from '../paper.js';
import { uptrainingSeeds, UPTRAINING_CLAIMS } from './criteria.js';

type Parameters = LanguageModelParameters & Tree;

/** What one size trains. */
export interface UptrainingPlan {
  /** Multi-head attention. */
  model: LanguageModelConfig;
  recipe: Recipe;
  rate: number;
  /** Share of the steps that follow the conversion. */
  share: number;
  /** Peak rate of those steps. */
  uptrainingRate: number;
  /** Key/value heads of the converted models. */
  groups: readonly number[];
}

const SHAPE = { kind: 'transformer', layers: 2, heads: 4, mlp: 'swiglu' } as const;

/** What a size trains; rates from the pilot. */
export function uptrainingPlan(size: Size): UptrainingPlan {
  const shared = { rate: 4e-3, share: 0.05, uptrainingRate: 2e-3, groups: [2, 1] };
  const recipe = { time: 128, batch: 8, windows: { tuning: 128, reporting: 384 }, evaluations: 4 };
  switch (size) {
    case 'smoke':
      return {
        ...shared,
        model: { ...SHAPE, width: 16, hidden: 24 },
        recipe: {
          ...{ time: 32, batch: 2, steps: 20, warmup: 2, evaluations: 1 },
          windows: { tuning: 16, reporting: 16 },
        },
      };
    case 'lesson':
      return {
        ...shared,
        model: { ...SHAPE, width: 64, hidden: 248 },
        recipe: { ...recipe, steps: 1200, warmup: 60 },
      };
    case 'full':
      return {
        ...shared,
        rate: 2e-3,
        uptrainingRate: 1e-3,
        model: { ...SHAPE, layers: 4, heads: 8, width: 256, hidden: 688 },
        recipe: { ...recipe, steps: 6000, warmup: 300, batch: 32, time: 256 },
      };
    default:
      return size satisfies never;
  }
}

/** One seed as plain data. */
export interface UptrainingTask extends UptrainingPlan {
  seed: number;
}

/** Losses in bits per byte of one way of going on. */
export interface Branch {
  arm: string;
  keyValueHeads: number;
  pooling: HeadPooling | 'none';
  /** Right after the conversion. */
  converted: number;
  /** After uptraining. */
  uptrained: number;
}

export interface UptrainingResult {
  seed: number;
  /** Of the multi-head model before anything else. */
  trained: number;
  branches: Branch[];
  curve: { x: number[]; y: number[] };
  fingerprint: string;
}

/** The arm of a conversion. */
export const armOf = (keyValueHeads: number, pooling: HeadPooling): string =>
  `${keyValueHeads} ${keyValueHeads === 1 ? 'head' : 'heads'}, ${pooling}`;

async function pretrain(task: UptrainingTask, text: TrainingText, context: TaskContext) {
  const { recipe, rate, seed } = task;
  const { steps, warmup, batch, time, evaluations } = recipe;
  const model = languageModel(task.model);
  const tuning = scoredRange(text, 'tuning', recipe);
  const done = await train<Parameters>({
    model,
    data: windowsOf(text.dataset, batch, time),
    steps,
    schedule: cosineSchedule({ peak: rate, steps, warmup, floor: rate / 10 }),
    seed,
    ...(context.signal ? { signal: context.signal } : {}),
    ...(context.checkpoint
      ? {
          checkpoint: {
            path: context.checkpoint,
            resume: true,
            everySteps: Math.max(1, Math.floor(steps / 4)),
          },
        }
      : {}),
    evaluate: {
      everySteps: Math.max(1, Math.ceil(steps / evaluations)),
      run: (params) => scoreBytes(model, params, text.dataset.bytes, tuning, time),
    },
    onProgress: ({ step, tokensPerSecond, secondsLeft }) =>
      context.progress?.({ step, steps, tokensPerSecond, secondsLeft }),
  });
  if (done.stopped === 'cancelled')
    throw new CancelledError(`uptrain: cancelled at step ${done.step} of ${steps}`);
  return done;
}

/** Goes on with a model for the share of the steps that follow a conversion. */
async function goOn(
  task: UptrainingTask,
  text: TrainingText,
  { signal }: TaskContext,
  model: { config: LanguageModelConfig; params: LanguageModelParameters },
): Promise<{ loss: number; fingerprint: string }> {
  const { recipe, seed, uptrainingRate: peak } = task;
  const steps = Math.max(1, Math.round(task.share * recipe.steps));
  const { params, stopped, fingerprint } = await train<Parameters>({
    model: languageModel(model.config),
    params: model.params,
    data: windowsOf(text.dataset, recipe.batch, recipe.time),
    steps,
    schedule: cosineSchedule({ peak, steps, warmup: Math.ceil(steps / 10), floor: peak / 10 }),
    // The same bytes for every branch of a seed.
    seed: `uptraining ${seed}`,
    ...(signal ? { signal } : {}),
  });
  if (stopped === 'cancelled') throw new CancelledError('uptrain: cancelled after the conversion');
  const loss = await reportingLoss(task, text, model.config, params);
  for (const t of treeTensors(params)) t.dispose();
  return { loss, fingerprint };
}

function reportingLoss(
  { recipe }: UptrainingTask,
  text: TrainingText,
  config: LanguageModelConfig,
  params: LanguageModelParameters,
): Promise<number> {
  const range = scoredRange(text, 'reporting', recipe);
  return scoreBytes(languageModel(config), params, text.dataset.bytes, range, recipe.time);
}

/** Trains a multi-head model, then goes on with it and with each conversion of it, on the same bytes. */
export async function uptrain(
  task: UptrainingTask,
  text: TrainingText,
  context: TaskContext,
): Promise<UptrainingResult> {
  const { model: config, seed } = task;
  const base = await pretrain(task, text, context);
  const trained = await reportingLoss(task, text, config, base.params);
  const same = await goOn(task, text, context, { config, params: base.params });
  const branches: Branch[] = [
    { arm: 'multi-head', keyValueHeads: 0, pooling: 'none', converted: trained, uptrained: same.loss },
  ];
  const prints = [base.fingerprint, same.fingerprint];
  const own = new Set(treeTensors(base.params));
  for (const keyValueHeads of task.groups)
    for (const pooling of HEAD_POOLINGS) {
      const made = toGroupedQueryAttention(config, base.params, { keyValueHeads, pooling, seed });
      const converted = await reportingLoss(task, text, made.config, made.params);
      const { loss: uptrained, fingerprint } = await goOn(task, text, context, made);
      prints.push(fingerprint);
      branches.push({ arm: armOf(keyValueHeads, pooling), keyValueHeads, pooling, converted, uptrained });
      for (const t of treeTensors(made.params)) if (!own.has(t)) t.dispose();
    }
  for (const t of own) t.dispose();
  const { evaluations } = base.history;
  const curve = { x: evaluations.map((e) => e.step), y: evaluations.map((e) => e.value) };
  return { seed, trained, branches, curve, fingerprint: prints.join(' ') };
}

function part(setup: Setup): Part {
  const plan = uptrainingPlan(setup.size);
  const smoke = setup.size === 'smoke';
  const seeds = smoke ? uptrainingSeeds.reporting.slice(0, 1) : uptrainingSeeds.reporting;
  const probed: LanguageTask = {
    arm: 'multi-head',
    model: plan.model,
    recipe: plan.recipe,
    rate: 0,
    seed: 0,
  };
  const make = (seed: number): Task => ({
    id: `seed${seed}`,
    inputs: asPlain({ ...plan, seed }) as Task['inputs'],
  });
  return {
    name: 'uptraining',
    about: `a multi-head model, ${plan.groups.length * HEAD_POOLINGS.length} conversions and uptraining for each of ${seeds.length} seeds`,
    isolated: !smoke,
    probes: [{ id: 'probe', inputs: {} }],
    seconds: ([probe]: readonly Done[], workers, isDone) => {
      const found = probe.result as unknown as LanguageProbe;
      const branches = 1 + plan.groups.length * HEAD_POOLINGS.length;
      const scored = 2 * branches * plan.recipe.windows.reporting * found.windowSeconds;
      const once =
        trainingSeconds(probed, found) +
        branches * plan.share * plan.recipe.steps * found.stepSeconds +
        scored;
      return makespan(
        seeds.filter((seed) => !isDone(make(seed))).map(() => once),
        workers,
      );
    },
    tasks: () => seeds.map(make),
    run: async (task, context) =>
      asPlain(
        task.id === 'probe'
          ? await probeLanguageModel(probed, setup.text, smoke ? 0.1 : 2)
          : await uptrain(task.inputs as unknown as UptrainingTask, setup.text, context),
      ),
  };
}

const resultsOf = (results: Results): UptrainingResult[] =>
  (results['uptraining'] ?? []).map((done) => done.result as unknown as UptrainingResult);

/** Losses of all arms; `, before` is right after the conversion. */
function measurements(results: readonly UptrainingResult[]): Measurement[] {
  return results.flatMap(({ seed, trained, branches }) => [
    { arm: 'before uptraining', seed, value: trained },
    ...branches.flatMap(({ arm, converted, uptrained }) => [
      { arm, seed, value: uptrained },
      { arm: `${arm}, before`, seed, value: converted },
    ]),
  ]);
}

/** The experiment. */
export const uptraining: Experiment = {
  id: 'uptraining',
  about: 'a multi-head byte model converted to 2 and 1 key/value heads and uptrained',
  claims: UPTRAINING_CLAIMS,
  text: true,
  parts: (setup) => [part(setup)],
  collect: (results, setup) => {
    const found = resultsOf(results);
    const all = measurements(found);
    return {
      config: { plan: asPlain(uptrainingPlan(setup.size)), seeds: asPlain(found) },
      measurements: Object.fromEntries(UPTRAINING_CLAIMS.map((claim) => [claim, all])),
      curves: found.map(({ seed, curve }): Curve => ({
        arm: 'multi-head',
        seed,
        label: 'validation loss',
        ...curve,
      })),
      ...(setup.backend === 'wasm' && found.length > 0
        ? { fingerprint: found.map((result) => result.fingerprint).join(' ') }
        : {}),
    };
  },
};
