/** `assay fit`: a scaling law fitted to anybody's runs, with intervals and everything that limits them. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { lawOf, laws, type Law, type NoiseKind } from '../../lib/families/scaling-laws/index.js';
import { fitFigure, toSvg } from '../../lib/report/index.js';
import { parseCsv } from '../../lib/tasks/csv.js';
import { writeAtomic } from '../../lib/tasks/files.js';
import { listManifests, loadBytes } from '../../lib/tasks/manifest.js';
import { fraction, numberPairs, pairs, whole } from '../fit/options.js';
import { openFitPool } from '../fit/pool.js';
import { runFit, type FitRequest } from '../fit/run.js';
import { chooseColumns, type TableOptions } from '../fit/table.js';
import { fitText } from '../fit/text.js';
import { parseVerbArgs, positiveNumber, UsageError, type Verb, type VerbContext } from './verb.js';

export const verb: Verb = {
  name: 'fit',
  summary: 'fit a scaling law to a table of runs, with intervals, hold-out and predictions',
  usage: `Usage: assay fit RUNS.csv --law LAW [options]
       assay fit --list [--json]

RUNS.csv has a header and a row a run; the name of a data set of \`assay data list\` works too. Columns are found by
their names (params, tokens, flops, loss, ...) or named; what follows from others is made (d = c / 6n, ...). Magnitudes
that speak of other units are an error that says what to do. Parameters that the runs do not identify get no number.

  --law L             the form; --list shows all with their columns
  --columns A=B,...   the law's column A is the table's column B
  --units A=F,...     multiply column A by F, e.g. n=1e9 for billions, c=8.64e19 for PF-days
  --where A=TEXT      only rows whose column A is TEXT (may be repeated)
  --drop-highest K    leave out the K highest responses
  --starts S          default (few starts from the data) or grid (the published grid of the law, if it has one)
  --delta X           corner of the Huber loss in log loss (default 1e-3)
  --fixed A=V,...     hold parameters at values
  --equal A=B,...     hold parameter A equal to parameter B
  --bootstrap N       resamples for intervals and bands (default 200; 0: none)
  --confidence P      of all intervals (default 0.9)
  --holdout F         fit without the fraction F of runs with the most compute, and predict them
  --compare L,...     other forms on the same held-out runs
  --budget C,...      best use of C FLOP (law chinchilla), with intervals
  --predict A=V,...   the response at a point, with bands (may be repeated)
  --profile A,...     profile of the objective along parameters
  --coverage N        N planted trials with the design and noise of these runs: do the intervals keep their word?
  --noise K           for --coverage: shuffled residuals (default) or own-sign
  --seed S            of resampling (default 0)
  --workers N         threads (default: one a core); the numbers do not depend on it
  --out DIR           where the figure goes (default runs/fit)
  --json              print one JSON document

Example: assay fit runs.csv --law chinchilla --bootstrap 1000 --holdout 0.2 --budget 5.76e23`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({ args, allowPositionals: true, options: OPTIONS });
    if (values.list) return list(values.json === true, context);
    if (positionals.length !== 1) throw new UsageError('fit needs one table of runs');
    if (values.law === undefined) throw new UsageError('fit needs --law; --list shows them');
    return fit(positionals[0], values as Values & { law: string }, context);
  },
};

const OPTIONS = {
  list: { type: 'boolean' },
  json: { type: 'boolean' },
  law: { type: 'string' },
  columns: { type: 'string', multiple: true },
  units: { type: 'string', multiple: true },
  where: { type: 'string', multiple: true },
  'drop-highest': { type: 'string' },
  starts: { type: 'string' },
  delta: { type: 'string' },
  fixed: { type: 'string', multiple: true },
  equal: { type: 'string', multiple: true },
  bootstrap: { type: 'string' },
  confidence: { type: 'string' },
  holdout: { type: 'string' },
  compare: { type: 'string' },
  budget: { type: 'string' },
  predict: { type: 'string', multiple: true },
  profile: { type: 'string' },
  coverage: { type: 'string' },
  noise: { type: 'string' },
  seed: { type: 'string' },
  workers: { type: 'string' },
  out: { type: 'string' },
} as const;

type Values = {
  [K in keyof typeof OPTIONS]?: (typeof OPTIONS)[K] extends { multiple: true }
    ? string[]
    : (typeof OPTIONS)[K] extends { type: 'boolean' }
      ? boolean
      : string;
};

function list(json: boolean, context: VerbContext): number {
  const all = laws().map(({ id, summary, equation, inputs, response, parameters, sources, published }) => ({
    id,
    summary,
    equation,
    columns: [...inputs, response].map(({ name, doc, unit }) => ({ name, doc, unit })),
    parameters: parameters.map(({ name, doc }) => ({ name, doc })),
    sources,
    published,
  }));
  if (json) context.json(all);
  else
    for (const law of all) {
      context.out(`${law.id.padEnd(22)} ${law.summary}`);
      context.out(`${' '.repeat(22)} ${law.equation}`);
      context.out(
        `${' '.repeat(22)} columns ${law.columns.map(({ name, unit }) => `${name} [${unit}]`).join(', ')}`,
      );
    }
  return 0;
}

function lawNamed(option: string, id: string): Law {
  const found = laws().find((law) => law.id === id);
  if (found) return found;
  throw new UsageError(
    `${option} must be one of ${laws()
      .map((law) => law.id)
      .join(', ')}, got "${id}"`,
  );
}

/** The table's bytes: a file, or a data set of the project found on this machine. */
async function readTable(path: string): Promise<Uint8Array> {
  if (existsSync(path)) {
    try {
      return await readFile(path);
    } catch (error) {
      throw new UsageError(
        `fit: RUNS.csv must be a readable file, got ${path} (${(error as Error).message})`,
      );
    }
  }
  if (listManifests().some(({ name }) => name === path)) return loadBytes(path);
  throw new UsageError(`fit: RUNS.csv must be a file or the name of a data set, got ${path}`);
}

/** May the points of these bytes be handed on? Everything but the data sets whose manifest says no. */
export function mayShow(bytes: Uint8Array): boolean {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return !listManifests().some((manifest) => manifest.sha256 === sha256 && !manifest.redistribute);
}

function split(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function tableOptions(values: Values): TableOptions {
  return {
    columns: pairs('--columns', values.columns),
    units: numberPairs('--units', values.units),
    where: pairs('--where', values.where),
    dropHighest: whole('--drop-highest', values['drop-highest'], 0, 0),
  };
}

function choice<T extends string>(option: string, text: string, choices: readonly T[]): T {
  if ((choices as readonly string[]).includes(text)) return text as T;
  throw new UsageError(`${option} must be one of ${choices.join(', ')}, got "${text}"`);
}

function requestOf(
  values: Values & { law: string },
  context: VerbContext,
): Omit<FitRequest, 'chosen' | 'executor'> {
  const holdout = fraction('--holdout', values.holdout);
  const compare = split(values.compare);
  compare.forEach((id) => lawNamed('--compare', id));
  if (compare.length > 0 && holdout === undefined) throw new UsageError('--compare needs --holdout');
  const delta = positiveNumber('--delta', values.delta);
  const bootstrap = whole('--bootstrap', values.bootstrap, 0, 200);
  const needsDraws = [values.budget && '--budget', values.predict && '--predict'].filter(Boolean);
  if (needsDraws.length > 0 && bootstrap < 20)
    throw new UsageError(
      `${needsDraws.join(' and ')} must have --bootstrap of at least 20, got ${bootstrap}`,
    );
  const noise: NoiseKind = choice('--noise', values.noise ?? 'shuffled', ['shuffled', 'own-sign']);
  const trials = values.coverage === undefined ? 0 : whole('--coverage', values.coverage, 1, 0);
  return {
    law: values.law,
    starts: choice('--starts', values.starts ?? 'default', ['default', 'grid']),
    bootstrap,
    confidence: fraction('--confidence', values.confidence) ?? 0.9,
    seed: whole('--seed', values.seed, 0, 0),
    equal: pairs('--equal', values.equal),
    fixed: numberPairs('--fixed', values.fixed),
    compare,
    budgets: split(values.budget).map((text) => positiveNumber('--budget', text) as number),
    predict: (values.predict ?? []).map((text) => numberPairs('--predict', [text])),
    profile: split(values.profile),
    signal: context.signal,
    onProgress: reporter(context),
    ...(holdout === undefined ? {} : { holdout }),
    ...(delta === undefined ? {} : { delta }),
    ...(trials > 0 ? { coverage: { trials, noise } } : {}),
  };
}

async function fit(path: string, values: Values & { law: string }, context: VerbContext): Promise<number> {
  const law = lawNamed('--law', values.law);
  const request = requestOf(values, context);
  const options = tableOptions(values);
  const workers = values.workers === undefined ? undefined : whole('--workers', values.workers, 1, 1);
  const bytes = await readTable(path);
  const forms = [law, ...request.compare.map(lawOf)];
  const chosen = chooseColumns(parseCsv(new TextDecoder().decode(bytes)), forms, options);
  const pool = openFitPool(context.root, workers);
  try {
    const { fit: result, report } = await runFit({ ...request, chosen, executor: pool.executor });
    const points = mayShow(bytes);
    const folder = resolve(values.out ?? join(context.root, 'runs', 'fit'));
    const file = join(folder, `${basename(path).replace(/\.[^.]*$/, '')}.${law.id}.svg`);
    await writeAtomic(file, `${toSvg(fitFigure(result, { points }))}\n`);
    const figure = relative(context.root, file);
    if (values.json) context.json({ ...report, figure, pointsInFigure: points });
    else {
      for (const line of fitText(report)) context.out(line);
      context.out('');
      context.out(
        `Figure ${figure}${points ? '' : ' (fitted values only: these runs may not be handed on)'}`,
      );
    }
    return result.converged ? 0 : 1;
  } finally {
    await pool.close();
  }
}

/** A progress line at most every second. */
function reporter(context: VerbContext): FitRequest['onProgress'] {
  let last = performance.now();
  return ({ stage, done, total }) => {
    const now = performance.now();
    if (now - last < 1000) return;
    last = now;
    context.progress(`${stage}: ${done} of ${total}`);
  };
}
