/** `assay bench`: operators and training steps, timed on this machine after their cases passed. */
import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { openBackend, operator, setThreads, useBackend } from '../../lib/index.js';
import { BACKENDS, isOpen, type BackendName } from '../../lib/tensor/backend.js';
import { measure, type Timing } from '../bench/measure.js';
import { redCases, timeRow } from '../bench/operators.js';
import { operatorRows } from '../bench/suites.js';
import { trainingRows } from '../bench/training.js';
import { parseVerbArgs, UsageError, type Verb, type VerbContext } from './verb.js';

const WORD_BYTES = 4;
const COPY_WORDS = 1 << 24;

interface BenchRow extends Timing {
  op: string;
  form: string;
  backend: string;
  threads: number;
  direction: string;
  dims: Record<string, number>;
  dtype: 'f32';
  flops: number;
  bytes: number;
}

interface Plan {
  filter: RegExp;
  threads: number[];
  backends: BackendName[];
  context: VerbContext;
  rows: BenchRow[];
  red: string[];
}

export const verb: Verb = {
  name: 'bench',
  summary: 'time operators and training steps; refuses to report on failing cases',
  usage: `Usage: assay bench [FILTER] [--threads 1,2] [--backend cpu,wasm,webgpu] [--json]

FILTER is matched against "op form backend direction dims" (a regular expression), for example
"selective-scan.*T=2048". Every operator first runs its record's cases; a failing one is not timed.
Times are medians of up to seven samples. Other work on the machine makes them longer: compare within one run.

  --threads   WASM thread counts to measure (default 1,2 or 1 on one core)
  --backend   backends to measure (default cpu,wasm)
  --json      print one JSON document`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      options: { json: { type: 'boolean' }, threads: { type: 'string' }, backend: { type: 'string' } },
      allowPositionals: true,
    });
    if (positionals.length > 1) throw new UsageError(`bench takes one filter, got ${positionals.length}`);
    const plan: Plan = {
      filter: filterOf(positionals[0]),
      threads: listOf(values.threads, os.availableParallelism() > 1 ? '1,2' : '1').map(threadCount),
      backends: listOf(values.backend, 'cpu,wasm').map(backendName),
      context,
      rows: [],
      red: [],
    };
    for (const backend of plan.backends) await openBackend(backend);
    await benchCopy(plan);
    await benchOperators(plan);
    await benchTraining(plan);
    if (plan.rows.length + plan.red.length === 0)
      throw new UsageError(`FILTER must match a row of the chosen backends, got "${positionals[0] ?? ''}"`);
    report(plan, values.json === true);
    return plan.red.length > 0 ? 1 : 0;
  },
};

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

function wants(
  plan: Plan,
  op: string,
  form: string,
  backend: string,
  direction: string,
  dims: Record<string, number>,
): boolean {
  const sizes = Object.entries(dims).map(([k, v]) => `${k}=${v}`);
  plan.context.signal.throwIfAborted();
  return plan.filter.test([op, form, backend, direction, ...sizes].join(' '));
}

/** Thread counts that make a difference on a backend. */
function threadsFor(plan: Plan, backend: BackendName): number[] {
  return backend === 'wasm' ? plan.threads : [1];
}

function add(plan: Plan, row: BenchRow): void {
  plan.rows.push(row);
  plan.context.progress(line(row));
}

/** The memory bandwidth every other row is judged by. */
async function benchCopy(plan: Plan): Promise<void> {
  const dims = { N: COPY_WORDS };
  if (!wants(plan, 'copy', 'parallel', 'cpu', 'forward', dims)) return;
  const from = new Float32Array(COPY_WORDS).fill(1);
  const to = new Float32Array(COPY_WORDS);
  const timing = await measure(() => to.set(from));
  const bytes = 2 * WORD_BYTES * COPY_WORDS;
  add(plan, {
    op: 'copy',
    form: 'parallel',
    backend: 'cpu',
    threads: 1,
    direction: 'forward',
    dims,
    dtype: 'f32',
    flops: 0,
    bytes,
    ...timing,
  });
}

async function benchOperators(plan: Plan): Promise<void> {
  for (const row of operatorRows())
    for (const backend of row.backends) {
      if (!plan.backends.includes(backend) || !isOpen(backend)) continue;
      for (const direction of row.directions) {
        const name = row.label ?? direction;
        if (!wants(plan, row.op, row.form, backend, name, row.dims)) continue;
        const { record } = operator(row.op);
        const failed = await redCases(operator(row.op), row.form, backend);
        if (failed.length > 0) {
          plan.red.push(...failed);
          continue;
        }
        for (const threads of threadsFor(plan, backend)) {
          setThreads(threads);
          const timing = await timeRow(row, direction, backend);
          // Backward of a linear recurrence and of attention: about twice the forward pass again.
          const factor = direction === 'forward+backward' ? 3 : 1;
          const cost = {
            flops: factor * record.flops(row.dims, {}),
            bytes: factor * record.bytes(row.dims, {}),
          };
          add(plan, {
            op: row.op,
            form: row.form,
            backend,
            threads,
            direction: name,
            dims: row.dims,
            dtype: 'f32',
            ...cost,
            ...timing,
          });
        }
      }
    }
}

async function benchTraining(plan: Plan): Promise<void> {
  for (const row of trainingRows())
    for (const backend of plan.backends) {
      if (backend === 'cpu' || !wants(plan, row.op, 'adamw', backend, 'step', row.dims)) continue;
      await useBackend(backend);
      for (const threads of threadsFor(plan, backend)) {
        setThreads(threads);
        const timing = await measure(row.make());
        const { op, dims, flops, bytes } = row;
        add(plan, {
          op,
          form: 'adamw',
          backend,
          threads,
          direction: 'step',
          dims,
          dtype: 'f32',
          flops,
          bytes,
          ...timing,
        });
      }
    }
}

function line(row: BenchRow): string {
  const dims = Object.entries(row.dims).map(([k, v]) => `${k}${v}`);
  const name = `${row.op} ${row.form} ${row.backend} x${row.threads} ${row.direction}`;
  const rate = row.flops > 0 ? `${(row.flops / row.medianMs / 1e6).toFixed(2)} GFLOP/s` : '';
  const bandwidth = `${(row.bytes / row.medianMs / 1e6).toFixed(2)} GB/s`;
  const spread = `[${row.q1Ms.toFixed(3)}, ${row.q3Ms.toFixed(3)}]`;
  return `${name.padEnd(52)} ${dims.join(' ').padEnd(34)} ${row.medianMs.toFixed(3).padStart(10)} ms ${spread}  ${rate}  ${bandwidth}`;
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

function report(plan: Plan, json: boolean): void {
  const cpu = os.cpus()[0]?.model ?? 'unknown';
  const device = `${process.platform}-${process.arch}, ${os.availableParallelism()} cores, ${cpu}, Node ${process.versions.node}`;
  if (json)
    plan.context.json({ device, commit: commitOf(plan.context.root), results: plan.rows, red: plan.red });
  else {
    plan.context.out(device);
    for (const row of plan.rows) plan.context.out(line(row));
  }
  for (const text of plan.red) plan.context.progress(`not timed, a case fails: ${text}`);
}
