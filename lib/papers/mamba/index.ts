/** Gu and Dao 2023: Mamba, linear-time sequence modeling with selective state spaces. */
import { KneserNey } from '../../tasks/kneser-ney.js';
import type { Curve, Measurement } from '../ledger/types.js';
import {
  asPlain,
  makespan,
  probeLanguageModel,
  scoredRange,
  shuffledEntropy,
  trainingSeconds,
  trainLanguageModel,
  type LanguageProbe,
  type LanguageResult,
  type LanguageTask,
} from '../language.js';
import type { Baseline, Findings, Paper, Part, Plain, Results, Setup, Task } from '../paper.js';
import { claims, languageSeeds } from './claims.js';
import { measureOperations, measureStateBytes } from './counts.js';
import { languagePlan, type LanguagePlan } from './models.js';
import { measureTimes, probeTimes, timingPlan } from './times.js';

const ARMS = ['mamba', 'transformer'] as const;
type Arm = (typeof ARMS)[number];

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
const single = (id: string): Task => ({ id, inputs: {} });
const resultOf = <T>(results: Results, part: string, id: string): T | undefined =>
  results[part]?.find((done) => done.task.id === id)?.result as T | undefined;

function countsPart(): Part {
  return {
    name: 'counts',
    about: 'bytes of the state and operations per token over growing contexts',
    isolated: false,
    seconds: () => 1.5,
    tasks: () => [single('state-bytes'), single('operations')],
    run: async (task) => asPlain(task.id === 'state-bytes' ? measureStateBytes() : measureOperations()),
  };
}

function timesPart({ size, backend }: Setup): Part {
  const plan = timingPlan(size, backend);
  return {
    name: 'times',
    about: `time of a pass over up to ${plan.lengths.at(-1)} tokens and of a step after up to ${plan.contexts.at(-1)}`,
    isolated: false,
    probes: [single('probe')],
    seconds: ([probe]) => probe.result as number,
    tasks: () => [single('pass'), single('step')],
    run: async (task, context) => {
      if (task.id === 'probe') return probeTimes(plan, context);
      return asPlain(await measureTimes(task.id as 'pass' | 'step', plan, context));
    },
  };
}

const languageTask = (plan: LanguagePlan, arm: Arm, rate: number, seed: number): Task => {
  const inputs: LanguageTask = { arm, model: plan[arm], recipe: plan.recipe, rate, seed };
  return { id: `${arm}-rate${rate}-seed${seed}`, inputs: asPlain(inputs) as Task['inputs'] };
};

/** A training part; `choose` names the rates and seeds of each arm once the parts before it are done. */
function trainingPart(
  name: string,
  about: string,
  setup: Setup,
  plan: LanguagePlan,
  choose: (results: Results) => [Arm, number, number][],
  planned: [Arm, number, number][],
  /** Probes of all parts so far: they time the same work, so their mean is the better estimate. */
  probed: LanguageProbe[],
  /** What a planned training may turn out to be. */
  variants: (entry: [Arm, number, number]) => [Arm, number, number][] = (entry) => [entry],
): Part {
  const make = ([arm, rate, seed]: [Arm, number, number]): Task => languageTask(plan, arm, rate, seed);
  const probe = (arm: Arm): Task => ({ ...languageTask(plan, arm, plan.rates[0], 0), id: `probe-${arm}` });
  return {
    name,
    about,
    isolated: setup.size !== 'smoke',
    ...(name === 'training' ? { needs: ['tuning'] } : {}),
    probes: ARMS.map(probe),
    seconds: (probes, workers, isDone) => {
      probed.push(...probes.map((done) => done.result as unknown as LanguageProbe));
      const open = planned.filter((entry) => !variants(entry).some((variant) => isDone(make(variant))));
      const seconds = open.map(make).map((task) => {
        const inputs = task.inputs as unknown as LanguageTask;
        const own = probed
          .filter((entry) => entry.arm === inputs.arm)
          .map((entry) => trainingSeconds(inputs, entry));
        return (setup.size === 'smoke' ? 0 : START_SECONDS) + own.reduce((a, b) => a + b, 0) / own.length;
      });
      return makespan(seconds, workers);
    },
    tasks: (results) => choose(results).map(make),
    run: async (task, context) => {
      const inputs = task.inputs as unknown as LanguageTask;
      if (task.id.startsWith('probe-'))
        return asPlain(await probeLanguageModel(inputs, setup.text, setup.size === 'smoke' ? 0.1 : 3));
      return asPlain(await trainLanguageModel(inputs, setup.text, context));
    },
  };
}

/** Seconds a process of its own takes to start and to read the text. */
const START_SECONDS = 0.7;

/** The rate with the least mean loss over the tuning seeds; diverged trainings count as infinite. */
export function bestRate(results: Results, arm: string, rates: readonly number[]): number {
  const tuned = (results['tuning'] ?? []).map((done) => done.result as unknown as LanguageResult);
  const loss = (rate: number): number => {
    const own = tuned.filter((result) => result.arm === arm && result.rate === rate);
    return own.length === 0
      ? Infinity
      : own.reduce((sum, result) => sum + (result.tuning ?? Infinity), 0) / own.length;
  };
  return rates.reduce((best, rate) => (loss(rate) < loss(best) ? rate : best), rates[0]);
}

function trainingParts(setup: Setup): Part[] {
  const plan = languagePlan(setup.size);
  const smoke = setup.size === 'smoke';
  const tuningSeeds = languageSeeds.tuning;
  const reportingSeeds = smoke ? languageSeeds.reporting.slice(0, 1) : languageSeeds.reporting;
  // Mamba trains longer, so its tasks begin first.
  const tuning = ARMS.flatMap((arm) =>
    tuningSeeds.flatMap((seed) => plan.rates.map((rate): [Arm, number, number] => [arm, rate, seed])),
  );
  const reporting = (results: Results) =>
    ARMS.flatMap((arm) =>
      reportingSeeds.map((seed): [Arm, number, number] => [arm, bestRate(results, arm, plan.rates), seed]),
    );
  const probed: LanguageProbe[] = [];
  // Which rate a reporting training has is known after tuning only.
  const anyRate = ([arm, , seed]: [Arm, number, number]) =>
    plan.rates.map((rate): [Arm, number, number] => [arm, rate, seed]);
  return [
    trainingPart(
      'tuning',
      `${plural(plan.rates.length, 'learning rate')} for each of two models`,
      setup,
      plan,
      () => tuning,
      tuning,
      probed,
    ),
    trainingPart(
      'training',
      `${plural(reportingSeeds.length, 'fresh seed')} for each of two models`,
      setup,
      plan,
      reporting,
      reporting({}),
      probed,
      anyRate,
    ),
  ];
}

function baselinesPart(setup: Setup): Part {
  const { recipe } = languagePlan(setup.size);
  return {
    name: 'baselines',
    about: 'interpolated Kneser-Ney models of bytes',
    isolated: false,
    seconds: () => (setup.size === 'smoke' ? 0.3 : 4),
    tasks: () =>
      (setup.size === 'smoke' ? [2] : [2, 5]).map((order) => ({
        id: `kneser-ney-${order}`,
        inputs: { order },
      })),
    run: async (task) => {
      const { bytes, split } = setup.text.dataset;
      const { start, end } = scoredRange(setup.text, 'reporting', recipe);
      const from = setup.size === 'smoke' ? split - 50_000 : 0;
      const model = new KneserNey(bytes.subarray(Math.max(0, from), split), task.inputs['order'] as number);
      return model.bitsPerByte(bytes.subarray(0, end), start);
    },
  };
}

function languageMeasurements(results: Results, setup: Setup): Measurement[] {
  const trained = (results['training'] ?? []).map((done) => done.result as unknown as LanguageResult);
  const bigram = resultOf<number>(results, 'baselines', 'kneser-ney-2');
  const entropy = trained.length > 0 ? shuffledEntropy(setup.text, languagePlan(setup.size).recipe) : 0;
  const measurements: Measurement[] = [];
  for (const { arm, seed, reporting, shuffled } of trained) {
    measurements.push({ arm, seed, value: reporting ?? Infinity });
    measurements.push({ arm: `${arm}-shuffled`, seed, value: shuffled ?? Infinity });
  }
  for (const seed of new Set(trained.map((result) => result.seed))) {
    if (bigram !== undefined) measurements.push({ arm: 'kneser-ney-2', seed, value: bigram });
    measurements.push({ arm: 'entropy-shuffled', seed, value: entropy });
  }
  for (const arm of ARMS) {
    const own = trained.find((result) => result.arm === arm);
    if (!own) continue;
    measurements.push(
      { arm: `${arm}-parameters`, value: own.parameters },
      { arm: `${arm}-bytes`, value: own.tokens },
    );
  }
  return measurements;
}

function curvesOf(results: Results): Curve[] {
  return ['tuning', 'training'].flatMap((part) =>
    (results[part] ?? []).flatMap((done): Curve[] => {
      const { arm, seed, rate, curve, evaluations } = done.result as unknown as LanguageResult;
      const label = `${part}, rate ${rate}`;
      return [
        { arm, seed, label: `${label}, training loss`, ...curve },
        { arm, seed, label: `${label}, validation loss`, ...evaluations },
      ];
    }),
  );
}

function baselineRows(results: Results, setup: Setup): Baseline[] {
  const rows: Baseline[] = [];
  const unit = 'bits per byte';
  for (const order of [2, 5]) {
    const value = resultOf<number>(results, 'baselines', `kneser-ney-${order}`);
    if (value === undefined) continue;
    const note = `counts of the whole training part (${setup.text.dataset.split} bytes), scored on the same bytes as the models`;
    rows.push({ name: `Kneser-Ney ${order}-gram`, value, unit, note });
  }
  if (setup.text.entropyRate !== undefined)
    rows.push({
      name: 'entropy rate of the text',
      value: setup.text.entropyRate,
      unit,
      note: 'exact; no model can go below it',
    });
  return rows;
}

function tuningTable(results: Results): Plain {
  return (results['tuning'] ?? []).map((done) => {
    const { arm, rate, seed, tuning, diverged } = done.result as unknown as LanguageResult;
    return { arm, rate, seed, loss: tuning, ...(diverged ? { diverged } : {}) };
  });
}

function trainingTable(results: Results): Plain {
  return (results['training'] ?? []).map((done) => {
    const { arm, rate, seed, tuning, reporting, seconds, tokensPerSecond, fingerprint } =
      done.result as unknown as LanguageResult;
    return { arm, rate, seed, tuning, reporting, seconds, tokensPerSecond, fingerprint };
  });
}

function collect(results: Results, setup: Setup): Findings {
  const plan = languagePlan(setup.size);
  const trained = (results['training'] ?? []).map((done) => done.result as unknown as LanguageResult);
  const prints = trained.map((result) => result.fingerprint);
  return {
    config: {
      language: asPlain(plan),
      times: asPlain(timingPlan(setup.size, setup.backend)),
      tuning: tuningTable(results),
      training: trainingTable(results),
      chosen: asPlain(Object.fromEntries(ARMS.map((arm) => [arm, bestRate(results, arm, plan.rates)]))),
    },
    measurements: {
      'mamba/state-bytes': resultOf<Measurement[]>(results, 'counts', 'state-bytes') ?? [],
      'mamba/operations-per-token': resultOf<Measurement[]>(results, 'counts', 'operations') ?? [],
      'mamba/time-of-a-pass': resultOf<Measurement[]>(results, 'times', 'pass') ?? [],
      'mamba/time-of-a-step': resultOf<Measurement[]>(results, 'times', 'step') ?? [],
      'mamba/language-modelling': languageMeasurements(results, setup),
    },
    curves: curvesOf(results),
    ...(setup.backend === 'wasm' && prints.length > 0 ? { fingerprint: prints.join(' ') } : {}),
    baselines: baselineRows(results, setup),
  };
}

/** The paper. */
export const mamba: Paper = {
  id: 'mamba',
  title: 'Mamba: Linear-Time Sequence Modeling with Selective State Spaces',
  year: 2023,
  arxiv: '2312.00752v2',
  authors: 'Albert Gu and Tri Dao',
  family: 'selective-scan',
  claims,
  parts: (setup) => [countsPart(), timesPart(setup), baselinesPart(setup), ...trainingParts(setup)],
  collect,
};
