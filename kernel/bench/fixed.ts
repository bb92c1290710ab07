/** The rows that `assay bench` measures without a sweep. */
import { operator, setThreads, useBackend } from '../../lib/index.js';
import { isOpen, type BackendName } from '../../lib/tensor/backend.js';
import { COPY_WORDS, hostCopy } from './copy.js';
import { measure } from './measure.js';
import { redCases, timeRow } from './operators.js';
import { line, type BenchRow } from './rows.js';
import { operatorRows } from './suites.js';
import { trainingRows } from './training.js';

/** What is asked for, and what was found so far. */
export interface Plan {
  filter: RegExp;
  threads: number[];
  backends: BackendName[];
  signal: AbortSignal;
  progress: (text: string) => void;
  rows: BenchRow[];
  notes: string[];
  red: string[];
}

/** Does the filter match a row? */
export function wants(
  plan: Plan,
  op: string,
  form: string,
  backend: string,
  direction: string,
  dims: Record<string, number>,
): boolean {
  const sizes = Object.entries(dims).map(([k, v]) => `${k}=${v}`);
  plan.signal.throwIfAborted();
  return plan.filter.test([op, form, backend, direction, ...sizes].join(' '));
}

/** Thread counts that make a difference on a backend. */
function threadsFor(plan: Plan, backend: BackendName): number[] {
  return backend === 'wasm' ? plan.threads : [1];
}

export function add(plan: Plan, row: BenchRow): void {
  plan.rows.push(row);
  plan.progress(line(row));
}

/** The memory bandwidth every other row is judged by. */
async function benchCopy(plan: Plan): Promise<void> {
  if (wants(plan, 'copy', 'parallel', 'cpu', 'forward', { N: COPY_WORDS })) add(plan, await hostCopy());
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

/** All fixed rows that the filter matches. */
export async function benchFixed(plan: Plan): Promise<void> {
  await benchCopy(plan);
  await benchOperators(plan);
  await benchTraining(plan);
}
