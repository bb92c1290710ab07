/** Lanes of a sweep: each form of ours on a backend, in a direction, and each other program. */
import os from 'node:os';
import { gpuContext } from '../../lib/gpu/device.js';
import { isSoftware } from '../../lib/gpu/command.js';
import { operator, setThreads, threads as threadsInUse } from '../../lib/index.js';
import { sizeOf, type Dims } from '../../lib/core/shape.js';
import { isOpen, type BackendName, type Form } from '../../lib/tensor/backend.js';
import { sampler, type Sampler } from './measure.js';
import { inputShapes, redCases, type Bench, type Problem } from './operators.js';
import type { Opponent } from './opponents/opponent.js';
import type { BenchRow } from './rows.js';

/** What a sweep is asked for, and who hears of what. */
export interface SweepOptions {
  backends: readonly BackendName[];
  threads: readonly number[];
  /** A series ends before a call would take longer. */
  callSeconds: number;
  /** No new length begins after this. */
  totalSeconds: number;
  /** Lengths begin here and double; default 256. */
  from?: number;
  /** Longest, whatever fits. */
  to?: number;
  opponents: readonly Opponent[];
  wants: (name: { op: string; form: string; backend: string; direction: string; dims: Dims }) => boolean;
  onRow: (row: BenchRow) => void;
  /** Something that is not measured, and why. */
  onStop: (text: string) => void;
  /** A failing case. */
  onRed: (text: string) => void;
  signal?: AbortSignal;
}

const ROW_MS = 1500;
const THREAD_START_MS = 80;
const GIBIBYTE = 2 ** 30;
const DIRECTIONS = ['forward', 'forward+backward'] as const;

/** Largest tensor of a backend: 1 GiB, a sixteenth of memory, and on a GPU what one binding holds. */
export function largestTensor(backend: BackendName, memory = os.totalmem()): number {
  const host = Math.min(GIBIBYTE, memory / 16);
  if (backend !== 'webgpu') return host;
  const { limits } = gpuContext('bench');
  return Math.min(host, limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}

/** Bytes of the largest tensor a problem hands over. */
export function problemBytes(problem: Problem): number {
  return Math.max(...inputShapes(problem).map(({ shape }) => 4 * sizeOf(shape)));
}

/** Something that is timed over lengths: one of ours or another program. */
export interface Lane {
  row: Pick<BenchRow, 'op' | 'form' | 'backend' | 'threads' | 'direction' | 'opponent' | 'software'>;
  largest: number;
  fits(dims: Dims): boolean;
  /** Milliseconds of a call at the lengths done. */
  done: number[];
  stopped: boolean;
  prepare(bench: (device: 'host' | 'gpu') => Bench, dims: Dims): Promise<Sampler>;
}

/** Forms of the record that run on a backend, the reference aside. */
function formsOf(op: string, backend: BackendName): Form[] {
  const { forms } = operator(op).record;
  return (Object.keys(forms) as Form[]).filter((form) => form !== 'reference' && forms[form]?.[backend]);
}

/** Changes the number of threads; new ones are started by a first call and need a moment until they take part. */
export async function useThreads(count: number, call: () => unknown): Promise<void> {
  if (threadsInUse() === count) return;
  setThreads(count);
  if (count === 1) return;
  await call();
  await new Promise((resolve) => setTimeout(resolve, THREAD_START_MS));
}

/** A macrotask, in which a signal can arrive. */
export async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}

/** A form on a backend whose cases all pass. */
export interface Passing {
  form: Form;
  backend: BackendName;
}

/** Runs the record's cases of every form; those that fail are reported and not timed. */
export async function passing(op: string, { backends, onRed, signal }: SweepOptions): Promise<Passing[]> {
  const made: Passing[] = [];
  for (const backend of backends.filter(isOpen))
    for (const form of formsOf(op, backend)) {
      await breathe(signal);
      const failed = await redCases(operator(op), form, backend);
      failed.forEach((text) => onRed(text));
      if (failed.length === 0) made.push({ form, backend });
    }
  return made;
}

/** Lanes of ours: single steps, or passes over a sequence. */
export function ownLanes(
  op: string,
  forms: readonly Passing[],
  step: boolean,
  options: SweepOptions,
): Lane[] {
  const lanes: Lane[] = [];
  for (const { form, backend } of forms)
    if ((form === 'step') === step) {
      const software = backend === 'webgpu' && isSoftware(gpuContext('bench').info);
      for (const threads of backend === 'wasm' ? options.threads : [1])
        for (const direction of step ? ['step'] : DIRECTIONS)
          lanes.push({
            row: { op, form, backend, threads, direction, ...(software ? { software } : {}) },
            largest: largestTensor(backend),
            fits: (dims) => options.wants({ op, form, backend, direction, dims }),
            done: [],
            stopped: false,
            prepare: async (bench) => {
              const work = bench(backend === 'webgpu' ? 'gpu' : 'host').work(form, backend, direction);
              const ready = () => useThreads(threads, () => work.run(1));
              await ready();
              const own = await sampler(work, ROW_MS);
              const take = async () => {
                await ready();
                return own.take();
              };
              return { ...own, take };
            },
          });
    }
  return lanes;
}

/** Lanes of other programs. */
export function otherLanes(op: string, step: boolean, options: SweepOptions): Lane[] {
  return options.opponents.flatMap((opponent) =>
    (step ? ['step'] : DIRECTIONS).map((direction): Lane => {
      const { name, form, threads } = opponent;
      return {
        row: { op, form, backend: 'other', threads, direction, opponent: name },
        largest: largestTensor('cpu'),
        fits: (dims) => opponent.fits(dims),
        done: [],
        stopped: false,
        prepare: (_, dims) => opponent.sampler(dims, direction, ROW_MS),
      };
    }),
  );
}
