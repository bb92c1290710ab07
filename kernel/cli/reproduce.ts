/** `assay reproduce`: a paper's claims measured and judged on this machine. */
import { relative } from 'node:path';
import { SIZES, listPapers, type Size } from '../../lib/papers/index.js';
import { baselineText, verdictText } from '../../lib/report/index.js';
import { BACKENDS, type BackendName } from '../../lib/tensor/backend.js';
import { reproduce, type Reproduced, type Reproduction } from '../reproduce/reproduce.js';
import { clock } from '../reproduce/progress.js';
import { isPath } from '../reproduce/load-paper.js';
import { paperEntry } from './papers.js';
import { UsageError, parseVerbArgs, positiveNumber, type Verb, type VerbContext } from './verb.js';

export const verb: Verb = {
  name: 'reproduce',
  summary: "measure a paper's claims on this machine and judge them",
  usage: `Usage: assay reproduce PAPER... | --all | ./my-paper.ts [options]

Prints an estimate, runs the experiment (Ctrl-C saves; the same command goes on from there), then prints the
judged table and writes the run file and a page with figures to runs/PAPER/.

  --experiment E  only these experiments of the paper, with commas between (default: all)
  --size S        smoke (seconds, proves the code path), lesson (minutes on 2 CPU cores; default), full (hours)
  --backend B     ${BACKENDS.join(', ')} (default: wasm)
  --budget TIME   leave out parts that do not fit, e.g. 90s, 20m, 2h
  --workers N     trainings at a time (default: one a core)
  --generated     train on generated text of known entropy rate, even where Tiny Shakespeare is at hand
  --fresh         redo what an earlier call has finished
  --record        write the run to notebooks/results/PAPER/; needs a checkout without uncommitted changes
  --json          print one JSON document {"runs": [...]}

Data: Tiny Shakespeare, from the folder ASSAY_DATA names or fetched with \`assay data pull tiny-shakespeare\`;
without either, generated text of known entropy rate.

Experiments: ${listPapers()
    .map((paper) => `${paper.id} (${paper.experiments.map(({ id }) => id).join(', ')})`)
    .join('; ')}
Example: assay reproduce mamba --size lesson --experiment selective-copying`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      allowPositionals: true,
      options: {
        all: { type: 'boolean' },
        experiment: { type: 'string' },
        size: { type: 'string' },
        backend: { type: 'string' },
        budget: { type: 'string' },
        workers: { type: 'string' },
        generated: { type: 'boolean' },
        fresh: { type: 'boolean' },
        record: { type: 'boolean' },
        json: { type: 'boolean' },
      },
    });
    const names = values.all ? listPapers().map((paper) => paper.id) : positionals;
    if (names.length === 0) throw new UsageError('name at least one paper, or --all');
    if (values.all && positionals.length > 0) throw new UsageError('name papers or say --all, not both');
    if (values.record && names.some(isPath))
      throw new UsageError('--record is for the papers of the project, not for a file');
    const size = oneOf('--size', values.size ?? 'lesson', SIZES);
    const backend = oneOf('--backend', values.backend ?? 'wasm', BACKENDS);
    const budget = parseTime('--budget', values.budget);
    const workers = positiveNumber('--workers', values.workers);
    if (workers !== undefined && !Number.isInteger(workers))
      throw new UsageError(`--workers must be an integer, got ${values.workers}`);
    const experiments = values.experiment?.split(',').map((name) => name.trim());
    if (experiments && names.length > 1)
      throw new UsageError('--experiment is for one paper, got several papers');
    const done: Reproduced[] = [];
    for (const paper of names) {
      const result = await reproduce({
        root: context.root,
        paper,
        size,
        backend,
        record: values.record === true,
        fresh: values.fresh === true,
        generated: values.generated === true,
        signal: context.signal,
        progress: context.progress,
        ...(experiments === undefined ? {} : { experiments }),
        ...(budget === undefined ? {} : { budget }),
        ...(workers === undefined ? {} : { workers }),
      });
      done.push(result);
      if (!values.json) printResult(result, context);
    }
    if (values.json) context.json({ runs: done.map((result) => jsonResult(result, context.root)) });
    return 0;
  },
};

function oneOf<T extends Size | BackendName>(option: string, text: string, choices: readonly T[]): T {
  if ((choices as readonly string[]).includes(text)) return text as T;
  throw new UsageError(`${option} must be one of ${choices.join(', ')}, got "${text}"`);
}

/** "90s", "20m", "2h" in seconds; a bare number is minutes. */
export function parseTime(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const found = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text);
  const seconds = found
    ? Number(found[1]) * { s: 1, m: 60, h: 3600, '': 60 }[found[2] as 's' | 'm' | 'h' | '']
    : 0;
  if (!(seconds > 0)) throw new UsageError(`${option} must be a time such as 90s, 20m or 2h, got "${text}"`);
  return seconds;
}

function printResult({ paper, done, judged, left, page }: Reproduced, { out, root }: VerbContext): void {
  out('');
  out(`${paper.title} (${paper.authors}, ${paper.year}, arXiv ${paper.arxiv})`);
  out('');
  for (const line of verdictText(judged)) out(line);
  for (const { baselines } of done) {
    if (baselines.length === 0) continue;
    out('');
    for (const line of baselineText(baselines)) out(line);
  }
  for (const line of done.flatMap(lossLines)) out(line);
  out('');
  for (const { experiment, run, runFile, took, estimated } of done) {
    out(`${experiment.id}: took ${clock(took)}, estimated ${clock(estimated)}`);
    out(
      `  run ${relative(root, runFile)}${run.dirty ? '   (uncommitted changes: a preview, it does not count)' : ''}`,
    );
  }
  for (const { experiment, reason } of left) out(`${experiment} was left out: ${reason}`);
  if (page !== undefined) out(`Page ${relative(root, page)}`);
}

/** Mean loss of each trained language model, and how far it is above the floor where that is known. */
function lossLines({ experiment, run, baselines }: Reproduction): string[] {
  const floor = baselines.find((baseline) => baseline.name === 'entropy rate of the text');
  const rows =
    experiment.text && Array.isArray(run.config['training'])
      ? (run.config['training'] as { arm: string; rate: number; reporting: number | null }[])
      : [];
  return [...new Set(rows.map((row) => row.arm))].map((arm) => {
    const own = rows.filter((row) => row.arm === arm);
    const mean = own.reduce((sum, row) => sum + (row.reporting ?? Infinity), 0) / own.length;
    const seeds = own.length === 1 ? '1 seed' : `mean of ${own.length} seeds`;
    const gap = floor ? `, ${(mean - floor.value).toFixed(4)} above the floor` : '';
    return `${arm}: ${mean.toFixed(4)} bits per byte (${seeds}, rate ${own[0].rate})${gap}`;
  });
}

function jsonResult({ paper, done, judged, left, page, text }: Reproduced, root: string): unknown {
  return {
    ...paperEntry(paper, judged),
    experiments: done.map(({ experiment, run, runFile, baselines, took, estimated, skipped }) => ({
      id: experiment.id,
      run: {
        id: run.id,
        size: run.size,
        backend: run.backend,
        dirty: run.dirty,
        file: relative(root, runFile),
      },
      baselines,
      seconds: { estimated, took },
      skipped,
    })),
    left,
    ...(page === undefined ? {} : { page: relative(root, page) }),
    ...(text === undefined ? {} : { text }),
  };
}
