/** An experiment on sequence tasks: arms (a model, a recipe and a variant of the task), tuned alike, then fresh seeds. */
import type { LanguageModelConfig } from '../nn/index.js';
import type { SequenceTask } from '../tasks/sequence-task.js';
import { asPlain } from './language.js';
import type { Curve, Measurement, Size } from './ledger/types.js';
import type { Findings, Part, Plain, Results, Setup, Task } from './paper.js';
import {
  probeSequences,
  sequenceSeconds,
  trainOnSequences,
  type SequenceProbe,
  type SequenceRecipe,
  type SequenceResult,
  type SequenceTest,
  type SequenceTraining,
} from './sequence-training.js';
import { bestRate, tunedTraining } from './tuned-training.js';

/** One arm; `Options` are those of the task's function, `Model` configures a model: both plain data. */
export interface SequenceArm<Options, Model = LanguageModelConfig> {
  model: Model;
  recipe: SequenceRecipe;
  task: Options;
  /** The arm whose tuning gives this one its rate; default itself. */
  rateFrom?: string;
}

/** Everything an experiment trains at one size; plain data. */
export interface SequencePlan<Options, Model = LanguageModelConfig> {
  /** In the order in which they begin: long ones first. */
  arms: { readonly [arm: string]: SequenceArm<Options, Model> };
  rates: readonly number[];
  /** Tokens of the test sequences (0: as in training) and how many of each. */
  tests: readonly { time: number; count: number }[];
}

/** What the parts and findings of an experiment are made of. */
export interface SequenceStudy<Options, Model = LanguageModelConfig> {
  plan(size: Size): SequencePlan<Options, Model>;
  /** What a configuration of an arm stands for. */
  model(config: Model): SequenceTraining['model'];
  task(options: Options): SequenceTask;
  /** How the test sequences of `time` tokens are drawn. */
  test(options: Options, time: number): SequenceTest['generate'];
  seeds: { tuning: readonly number[]; reporting: readonly number[] };
}

/** A training as plain data. */
interface Inputs<Options, Model> extends SequenceArm<Options, Model> {
  arm: string;
  tests: readonly { time: number; count: number }[];
  rate: number;
  seed: number;
}

/** The parts `tuning` and `training`. */
export function sequenceParts<Options, Model>(setup: Setup, study: SequenceStudy<Options, Model>): Part[] {
  const { arms, rates, tests } = study.plan(setup.size);
  const smoke = setup.size === 'smoke';
  const read = (plain: Task['inputs']) => {
    const inputs = plain as unknown as Inputs<Options, Model>;
    const task = study.task(inputs.task);
    const scored = inputs.tests.map(({ time, count }): SequenceTest => {
      const length = time || task.time;
      return { name: String(length), count, generate: study.test(inputs.task, length) };
    });
    return { inputs: { ...inputs, model: study.model(inputs.model) }, task, tests: scored };
  };
  return tunedTraining<SequenceProbe>({
    arms: Object.keys(arms),
    rates,
    rateFrom: (arm) => arms[arm].rateFrom ?? arm,
    seeds: smoke ? { ...study.seeds, reporting: study.seeds.reporting.slice(0, 1) } : study.seeds,
    isolated: !smoke,
    inputs: ({ arm, rate, seed }) => {
      const { model, recipe, task } = arms[arm];
      const inputs: Inputs<Options, Model> = { arm, model, recipe, task, tests, rate, seed };
      return asPlain(inputs) as Task['inputs'];
    },
    probe: (plain) => {
      const { inputs, task, tests: scored } = read(plain);
      return probeSequences(inputs, task, scored, smoke ? 0 : 1);
    },
    seconds: (plain, probe) => sequenceSeconds((plain as unknown as Inputs<Options, Model>).recipe, probe),
    train: async (plain, context) => {
      const { inputs, task, tests: scored } = read(plain);
      return asPlain(await trainOnSequences(inputs, task, scored, context));
    },
  });
}

const resultsOf = (results: Results, part: string): SequenceResult[] =>
  (results[part] ?? []).map((done) => done.result as unknown as SequenceResult);

/**
 * Accuracy of every reporting training; a training that diverged has none right. `at` is the length of the test in lengths
 * of training. `<arm>-sequences` is the share of whole sequences right, `<arm>-mismatched` that of answers right for
 * another, `chance` the share right of the best guess that does not look.
 */
function accuracies<Options, Model>(
  results: Results,
  plan: SequencePlan<Options, Model>,
  study: SequenceStudy<Options, Model>,
): Measurement[] {
  const trained = resultsOf(results, 'training');
  const { chance, time } = study.task(Object.values(plan.arms)[0].task);
  const places = plan.tests.map((test) => (plan.tests.length > 1 ? { at: test.time / time } : {}));
  const each = trained.flatMap(({ arm, seed, scores }) =>
    places.flatMap((at, i): Measurement[] => {
      const score = Object.values(scores ?? {})[i];
      return [
        { arm, seed, ...at, value: score?.tokens ?? 0 },
        { arm: `${arm}-sequences`, seed, ...at, value: score?.sequences ?? 0 },
        { arm: `${arm}-mismatched`, seed, ...at, value: score?.mismatched ?? 0 },
      ];
    }),
  );
  const seeds = [...new Set(trained.map((result) => result.seed))];
  const guesses = seeds.flatMap((seed) =>
    places.map((at) => ({ arm: 'chance', seed, ...at, value: chance })),
  );
  return [...each, ...guesses];
}

/** Parameters and training tokens of each arm. */
function sizes(results: Results): Measurement[] {
  const one = new Map(resultsOf(results, 'training').map((result) => [result.arm, result]));
  return [...one.values()].flatMap(({ arm, parameters, tokens }): Measurement[] => [
    { arm: `${arm}-parameters`, value: parameters },
    { arm: `${arm}-tokens`, value: tokens },
  ]);
}

function curvesOf(results: Results): Curve[] {
  return ['tuning', 'training'].flatMap((part) =>
    resultsOf(results, part).flatMap(({ arm, seed, rate, curve, accuracy, scores }): Curve[] => {
      const label = `${part}, rate ${rate}`;
      const last = Object.entries(scores ?? {}).at(-1);
      const distances = last?.[1].distances ?? [];
      return [
        { arm, seed, label: `${label}, training loss`, ...curve },
        { arm, seed, label: `${label}, accuracy`, ...accuracy },
        ...(part === 'training' && last
          ? [
              {
                arm,
                seed,
                label: `${label}, accuracy by distance at length ${last[0]}`,
                x: distances.map((entry) => entry.upTo),
                y: distances.map((entry) => entry.tokens),
              },
            ]
          : []),
      ];
    }),
  );
}

function table(results: Results, part: string): Plain {
  return resultsOf(results, part).map(
    ({ arm, rate, seed, tuning, scores, seconds, tokensPerSecond, fingerprint, diverged }) => ({
      ...{ arm, rate, seed, tuning, seconds, tokensPerSecond, fingerprint },
      accuracy: asPlain(
        Object.fromEntries(Object.entries(scores ?? {}).map(([name, score]) => [name, score.tokens])),
      ),
      ...(diverged ? { diverged } : {}),
    }),
  );
}

/** What the parts add up to; every claim is judged on the same measurements. */
export function sequenceFindings<Options, Model>(
  results: Results,
  setup: Setup,
  study: SequenceStudy<Options, Model>,
  claims: readonly string[],
): Findings {
  const plan = study.plan(setup.size);
  const measurements = [...accuracies(results, plan, study), ...sizes(results)];
  const prints = resultsOf(results, 'training').map((result) => result.fingerprint);
  const chosen = Object.entries(plan.arms).map(([arm, { rateFrom = arm }]) => [
    arm,
    bestRate(results, rateFrom, plan.rates),
  ]);
  const chances = Object.entries(plan.arms).map(([arm, { task }]) => [arm, study.task(task).chance]);
  return {
    config: {
      plan: asPlain(plan),
      tuning: table(results, 'tuning'),
      training: table(results, 'training'),
      chosen: asPlain(Object.fromEntries(chosen)),
      chance: asPlain(Object.fromEntries(chances)),
    },
    measurements: Object.fromEntries(claims.map((claim) => [claim, measurements])),
    curves: curvesOf(results),
    ...(setup.backend === 'wasm' && prints.length > 0 ? { fingerprint: prints.join(' ') } : {}),
  };
}
