/** Mamba against a transformer of equal size as byte language models: tuned alike, then fresh seeds. */
import { KneserNey } from '../../tasks/kneser-ney.js';
import type { Curve, Measurement } from '../ledger/types.js';
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
} from '../language.js';
import {
  resultOf,
  type Baseline,
  type Experiment,
  type Findings,
  type Part,
  type Plain,
  type Results,
  type Setup,
  type Task,
} from '../paper.js';
import { bestRate, tunedTraining } from '../tuned-training.js';
import { languageSeeds } from './criteria.js';
import { languagePlan } from './models.js';

// Mamba trains longer, so its tasks begin first.
const ARMS = ['mamba', 'transformer'] as const;
type Arm = (typeof ARMS)[number];

function trainingParts(setup: Setup): Part[] {
  const plan = languagePlan(setup.size);
  const smoke = setup.size === 'smoke';
  const asTask = (inputs: Task['inputs']) => inputs as unknown as LanguageTask;
  return tunedTraining<LanguageProbe>({
    arms: ARMS,
    rates: plan.rates,
    seeds: smoke ? { ...languageSeeds, reporting: languageSeeds.reporting.slice(0, 1) } : languageSeeds,
    isolated: !smoke,
    inputs: ({ arm, rate, seed }) => {
      const inputs: LanguageTask = { arm, model: plan[arm as Arm], recipe: plan.recipe, rate, seed };
      return asPlain(inputs) as Task['inputs'];
    },
    probe: (inputs) => probeLanguageModel(asTask(inputs), setup.text, smoke ? 0.1 : 3),
    seconds: (inputs, probe) => trainingSeconds(asTask(inputs), probe),
    train: async (inputs, context) => asPlain(await trainLanguageModel(asTask(inputs), setup.text, context)),
  });
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
      tuning: tuningTable(results),
      training: trainingTable(results),
      chosen: asPlain(Object.fromEntries(ARMS.map((arm) => [arm, bestRate(results, arm, plan.rates)]))),
    },
    measurements: { 'mamba/language-modelling': languageMeasurements(results, setup) },
    curves: curvesOf(results),
    ...(setup.backend === 'wasm' && prints.length > 0 ? { fingerprint: prints.join(' ') } : {}),
    baselines: baselineRows(results, setup),
  };
}

export const languageModelling: Experiment = {
  id: 'language-modelling',
  about: 'byte models of equal size on one text',
  claims: ['mamba/language-modelling'],
  text: true,
  parts: (setup) => [baselinesPart(setup), ...trainingParts(setup)],
  collect,
};
