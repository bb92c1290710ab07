/** Published zero-shot results of the Pythia models by size and training step. */
import { pairedDifference } from '../../core/statistics.js';
import { numberColumn, parseCsv } from '../../tasks/csv.js';
import type { Curve, Measurement } from '../ledger/types.js';
import type { Setup } from '../paper.js';
import { interval, reanalysis, type Reanalysed } from '../reanalysis.js';
import { dataText } from '../setup.js';

export const RESULTS = 'pythia-zeroshot';

const SIZES = ['70m', '160m', '410m', '1b', '1.4b', '2.8b', '6.9b', '12b'] as const;
const LAST_STEP = 143_000;
/** A checkpoint is late from here on: about a tenth of training. */
const LATE_STEP = 13_000;
const LAMBADA = 'lambada_openai_acc';

type Suite = 'deduplicated' | 'plain';

/** Accuracies by model and step. */
interface Table {
  tasks: readonly string[];
  steps: readonly number[];
  accuracy(size: string, suite: Suite, step: number, task: string): number;
}

function modelName(size: string, suite: Suite): string {
  if (suite === 'deduplicated') return `pythia-${size}-deduped`;
  return size === '1b' ? 'pythia-1b-bf16' : `pythia-${size}`;
}

function readResults(setup: Setup): Table {
  const table = parseCsv(dataText(setup, RESULTS));
  const tasks = table.header.filter((name) => name.endsWith('_acc'));
  const columns = new Map(tasks.map((task) => [task, numberColumn(table, task)]));
  const steps = numberColumn(table, 'step');
  const models = table.rows.map((row) => row[table.header.indexOf('model')]);
  const rows = new Map(models.map((model, i) => [`${model} ${steps[i]}`, i]));
  return {
    tasks,
    steps: [...new Set(steps)].sort((a, b) => a - b),
    accuracy: (size, suite, step, task) => {
      const row = rows.get(`${modelName(size, suite)} ${step}`);
      return row === undefined ? NaN : (columns.get(task)?.[row] ?? NaN);
    },
  };
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** Deduplicated minus plain over the eight sizes, paired; `value` reads one model. */
function difference(value: (size: string, suite: Suite) => number): [number, number, number] {
  const of = (suite: Suite): number[] => SIZES.map((size) => value(size, suite));
  const found = pairedDifference(of('deduplicated'), of('plain'), 0.95);
  return [found.estimate, found.low, found.high];
}

function deduplication(table: Table): Measurement[] {
  const mean = (size: string, suite: Suite): number =>
    meanOf(table.tasks.map((task) => table.accuracy(size, suite, LAST_STEP, task)));
  const lambada = (size: string, suite: Suite): number => table.accuracy(size, suite, LAST_STEP, LAMBADA);
  const plain = (step: number): number[] =>
    SIZES.map((size) => meanOf(table.tasks.map((task) => table.accuracy(size, 'plain', step, task))));
  const trained = pairedDifference(plain(LAST_STEP), plain(0), 0.95);
  return [
    ...interval('benefit on the mean of eight tasks', ...difference(mean)),
    ...interval('benefit on LAMBADA', ...difference(lambada)),
    ...interval('benefit of training', trained.estimate, trained.low, trained.high),
  ];
}

/** Share of neighbouring sizes of which the larger is better at LAMBADA. */
function orderedShare(table: Table, steps: readonly number[]): number {
  const pairs = (['plain', 'deduplicated'] as const).flatMap((suite) =>
    steps.flatMap((step) =>
      SIZES.slice(1).map((size, i) => {
        const [smaller, larger] = [SIZES[i], size].map((s) => table.accuracy(s, suite, step, LAMBADA));
        return larger > smaller ? 1 : 0;
      }),
    ),
  );
  return meanOf(pairs);
}

function curves(table: Table): Curve[] {
  return SIZES.map((size) => ({
    arm: modelName(size, 'plain'),
    label: 'LAMBADA accuracy by step',
    x: table.steps.filter((step) => step > 0),
    y: table.steps.filter((step) => step > 0).map((step) => table.accuracy(size, 'plain', step, LAMBADA)),
  }));
}

function analyse(setup: Setup): Promise<Reanalysed> {
  const table = readResults(setup);
  const late = table.steps.filter((step) => step >= LATE_STEP);
  return Promise.resolve({
    measurements: {
      'pythia/deduplication': deduplication(table),
      'pythia/order-of-sizes': [
        { arm: 'share in order at late steps', value: orderedShare(table, late) },
        { arm: 'share in order before training', value: orderedShare(table, [0]) },
      ],
    },
    curves: curves(table),
    config: { sizes: [...SIZES], steps: [...table.steps], tasks: [...table.tasks] },
  });
}

export const zeroShot = reanalysis({
  id: 'zero-shot',
  about: 'published zero-shot results of 16 models at 27 steps',
  claims: ['pythia/deduplication', 'pythia/order-of-sizes'],
  datasets: [RESULTS],
  seconds: 0.1,
  analyse,
});
