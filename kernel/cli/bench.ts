/** `assay bench`: operators and training steps, timed on this machine after their cases passed. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { join, resolve } from 'node:path';
import { openBackend, setThreads, threads as threadsInUse } from '../../lib/index.js';
import { isSoftware } from '../../lib/gpu/command.js';
import { currentGpu } from '../../lib/gpu/device.js';
import { writeAtomic } from '../../lib/tasks/files.js';
import { BACKENDS, type BackendName } from '../../lib/tensor/backend.js';
import { add, benchFixed, wants, type Plan } from '../bench/fixed.js';
import { MOE, MOE_SHAPES, MOE_TOKENS, sweepMoe } from '../bench/moe.js';
import { openC } from '../bench/opponents/c.js';
import type { Opponents } from '../bench/opponents/opponent.js';
import { openTorch } from '../bench/opponents/torch.js';
import type { SweepOptions } from '../bench/lanes.js';
import { line, type BenchRow } from '../bench/rows.js';
import { isWanted, runSweep } from '../bench/sweep.js';
import { SWEEPS, type Sweep } from '../bench/sweeps.js';
import {
  markdown,
  ratiosOf,
  slopesOf,
  textTables,
  withSection,
  type BenchDocument,
} from '../bench/tables.js';
import { parseVerbArgs, positiveNumber, UsageError, type Verb, type VerbContext } from './verb.js';

const CALL_SECONDS = 0.5;
const TOTAL_SECONDS = 600;

interface Values {
  json?: boolean;
  markdown?: boolean;
  threads?: string;
  backend?: string;
  sweep?: boolean;
  opponents?: boolean;
  'max-seconds'?: string;
  'total-seconds'?: string;
  from?: string;
  into?: string;
}

const flag = { type: 'boolean' } as const;
const text = { type: 'string' } as const;
const options = {
  ...{ json: flag, markdown: flag, sweep: flag, opponents: flag },
  ...{ threads: text, backend: text, 'max-seconds': text, 'total-seconds': text, from: text, into: text },
};

export const verb: Verb = {
  name: 'bench',
  summary: 'time operators and training steps; refuses to report on failing cases',
  usage: `Usage: assay bench [FILTER] [--threads 1,2] [--backend cpu,wasm,webgpu] [--json | --markdown]
       assay bench [FILTER] --sweep [--opponents] [--max-seconds S] [--total-seconds S]
       assay bench --from FILE [--markdown] [--into PAGE]

FILTER is matched against "op form backend direction dims" (a regular expression), for example
"selective-scan.*T=2048". Every operator first runs its record's cases; a failing one is not timed.
Times are medians of up to seven samples. Other work on the machine makes them longer: compare within one run.

  --threads        WASM thread counts to measure (default 1,2 or 1 on one core)
  --backend        backends to measure (default cpu,wasm; for a sweep wasm)
  --json           print one JSON document
  --markdown       print the tables in Markdown

A sweep times every form of ${[...new Set(SWEEPS.map(({ op }) => op))].join(', ')}
over T = 256, 512, ... side by side, forward, forward and backward, and single steps, and adds growth exponents, ratios, and the share of a copy's bandwidth. A series ends
where a tensor would be above 1 GiB, a sixteenth of memory or a GPU's binding, or where a call would take too long.
Then ${MOE}, a mixture of experts over T = ${MOE_TOKENS.join(', ')} tokens, experts E and choices K, and the sum over all experts.

  --sweep          sweep instead of the fixed rows
  --opponents      beside it C (gcc, cc or clang) and PyTorch (ASSAY_PYTHON, python3), where they are
  --max-seconds    longest call (default ${CALL_SECONDS})
  --total-seconds  no new length begins after this (default ${TOTAL_SECONDS})

  --from           report on what an earlier --json printed instead of measuring
  --into           put the Markdown into the marked section of a page`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({ args, options, allowPositionals: true });
    if (positionals.length > 1) throw new UsageError(`bench takes one filter, got ${positionals.length}`);
    for (const name of ['opponents', 'max-seconds', 'total-seconds'] as const)
      if (values[name] !== undefined && !values.sweep) throw new UsageError(`--${name} needs --sweep`);
    if (values.from && (positionals.length > 0 || values.sweep))
      throw new UsageError('--from measures nothing: it takes neither FILTER nor --sweep');
    if (values.into && !values.from) throw new UsageError('--into needs --from, a file that --json printed');
    const document = values.from
      ? earlier(values.from)
      : await measureAll(values, positionals[0], args, context);
    await report(document, values, context);
    return document.red.length > 0 ? 1 : 0;
  },
};

/** What an earlier --json printed. */
function earlier(path: string): BenchDocument {
  const refuse = (why: string) =>
    new UsageError(`--from must be a file that --json printed, got ${path} (${why})`);
  let found: Partial<Record<string, unknown>>;
  try {
    found = Object(JSON.parse(readFileSync(resolve(path), 'utf8'))) as typeof found;
  } catch (error) {
    throw refuse((error as Error).message);
  }
  const missing = ['results', 'slopes', 'ratios', 'notes', 'red'].filter(
    (name) => !Array.isArray(found[name]),
  );
  if (missing.length > 0) throw refuse(`it lacks ${missing.join(', ')}`);
  return found as unknown as BenchDocument;
}

async function measureAll(
  values: Values,
  filter: string | undefined,
  args: string[],
  context: VerbContext,
): Promise<BenchDocument> {
  const plan: Plan = {
    filter: filterOf(filter),
    threads: listOf(values.threads, os.availableParallelism() > 1 ? '1,2' : '1').map(threadCount),
    backends: listOf(values.backend, values.sweep ? 'wasm' : 'cpu,wasm').map(backendName),
    ...{ signal: context.signal, progress: context.progress, rows: [], notes: [], red: [] },
  };
  for (const backend of plan.backends) await openBackend(backend);
  const before = threadsInUse();
  try {
    if (values.sweep) await benchSweeps(plan, values, context.root);
    else await benchFixed(plan);
  } finally {
    setThreads(before);
  }
  // A sweep measures copies whatever it is asked for.
  const found = plan.rows.filter((row) => !values.sweep || row.op !== 'copy').length + plan.red.length;
  if (found === 0)
    throw new UsageError(`FILTER must match a row of the chosen backends, got "${filter ?? ''}"`);
  return documentOf(plan, args, context.root);
}

function filterOf(text: string | undefined): RegExp {
  try {
    return new RegExp(text ?? '');
  } catch {
    throw new UsageError(`FILTER must be a regular expression, got "${text}"`);
  }
}

function listOf(text: string | undefined, fallback: string): string[] {
  return (text ?? fallback).split(',').map((part) => part.trim());
}

function backendName(text: string): BackendName {
  const found = BACKENDS.find((name) => name === text);
  if (!found) throw new UsageError(`--backend must be among ${BACKENDS.join(', ')}, got "${text}"`);
  return found;
}

function threadCount(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 1)
    throw new UsageError(`--threads must be positive integers, got "${text}"`);
  return n;
}

/** The programs beside one sweep. */
async function openOpponents({ opponents = {} }: Sweep, plan: Plan, root: string): Promise<Opponents> {
  const path = (file: string) => join(root, 'kernel', 'bench', 'opponents', file);
  const { signal } = plan;
  const { c, torch } = opponents;
  const opened = [
    ...(c ? [await openC(path(c), { signal })] : []),
    ...(torch ? [await openTorch(path(torch.script), plan.threads, torch, { signal })] : []),
  ];
  return {
    list: opened.flatMap(({ list }) => list),
    notes: opened.flatMap(({ notes }) => notes),
    dispose: () => opened.forEach((each) => each.dispose()),
  };
}

function openMoeOpponents(plan: Plan, root: string): Promise<Opponents> {
  const script = join(root, 'kernel', 'bench', 'opponents', 'mixture_of_experts.py');
  const program = { forms: ['loop', 'sorted'], sizes: ['T', 'E', 'K', 'D', 'F'] };
  return openTorch(script, plan.threads, program, { signal: plan.signal });
}

/** Does the filter match a row of ours in the sweep of the mixture of experts? */
function wantsMoe(plan: Plan): boolean {
  const dims = MOE_SHAPES.flatMap((shape) => MOE_TOKENS.map((T) => ({ T, ...shape })));
  return dims.some((d) =>
    plan.backends.some((backend) =>
      ['forward', 'forward+backward'].some((direction) => wants(plan, MOE, 'grouped', backend, direction, d)),
    ),
  );
}

async function benchSweeps(plan: Plan, values: Values, root: string): Promise<void> {
  const options = {
    ...{ backends: plan.backends, threads: plan.threads },
    callSeconds: positiveNumber('--max-seconds', values['max-seconds']) ?? CALL_SECONDS,
    totalSeconds: positiveNumber('--total-seconds', values['total-seconds']) ?? TOTAL_SECONDS,
    wants: ({ op, form, backend, direction, dims }: Wanted) =>
      wants(plan, op, form, backend, direction, dims),
    onRow: (row: BenchRow) => add(plan, row),
    onStop: (text: string) => addNote(plan, text),
    onRed: (text: string) => void plan.red.push(text),
    signal: plan.signal,
  };
  for (const sweep of SWEEPS.filter((each) => isWanted(each, { ...options, opponents: [] })))
    await against(
      plan,
      values,
      () => openOpponents(sweep, plan, root),
      (opponents) => runSweep(sweep, { ...options, opponents }),
    );
  if (wantsMoe(plan))
    await against(
      plan,
      values,
      () => openMoeOpponents(plan, root),
      (opponents) => sweepMoe({ ...options, opponents }),
    );
}

type Wanted = Parameters<SweepOptions['wants']>[0];

/** Runs a sweep beside other programs, where they are asked for. */
async function against(
  plan: Plan,
  values: Values,
  open: () => Promise<Opponents>,
  run: (opponents: Opponents['list']) => Promise<void>,
): Promise<void> {
  const opponents = values.opponents ? await open() : undefined;
  for (const note of opponents?.notes ?? []) if (!plan.notes.includes(note)) addNote(plan, note);
  try {
    await run(opponents?.list ?? []);
  } finally {
    opponents?.dispose();
  }
}

function addNote(plan: Plan, note: string): void {
  plan.notes.push(note);
  plan.progress(note);
}

function commitOf(root: string): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

/** The adapter that was used, named software where it computes on the processor. */
function adapterOf(): string | undefined {
  const info = currentGpu()?.info;
  if (!info) return undefined;
  const name = info.description || info.device || info.vendor || 'unknown';
  return isSoftware(info) ? `${name} (software)` : name;
}

/** An argument as a shell would need it. */
const quoted = (text: string): string => (/[^\w=.,:/-]/.test(text) ? `'${text}'` : text);

function documentOf(plan: Plan, args: readonly string[], root: string): BenchDocument {
  const cpu = os.cpus()[0]?.model ?? 'unknown';
  const adapter = plan.backends.includes('webgpu') ? adapterOf() : undefined;
  return {
    date: new Date().toISOString().slice(0, 10),
    device: `${process.platform}-${process.arch}, ${os.availableParallelism()} cores, ${cpu}, Node ${process.versions.node}`,
    ...(adapter ? { adapter } : {}),
    commit: commitOf(root),
    command: ['assay bench', ...args.map(quoted)].join(' '),
    ...{ results: plan.rows, slopes: slopesOf(plan.rows), ratios: ratiosOf(plan.rows) },
    ...{ notes: plan.notes, red: plan.red },
  };
}

async function report(document: BenchDocument, values: Values, context: VerbContext): Promise<void> {
  if (values.into) {
    const page = resolve(values.into);
    await writeAtomic(page, withSection(readFileSync(page, 'utf8'), markdown(document)));
  } else if (values.json) context.json(document);
  else if (values.markdown) context.out(markdown(document));
  else {
    context.out(`${document.device}${document.adapter ? `, GPU adapter ${document.adapter}` : ''}`);
    for (const row of document.results) context.out(line(row));
    for (const text of textTables(document)) context.out(text);
  }
  for (const text of document.red) context.progress(`not timed, a case fails: ${text}`);
}
