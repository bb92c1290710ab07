/**
 * A pool of threads on host memory. `parallelFor` is synchronous; the calling thread takes part. Which thread runs
 * which units is left to chance: kernels give the same bits for every partition of their units.
 */
import { ArgumentError, DeviceError, show } from '../../core/errors.js';
import { hostMemory, type HostBlock } from '../../tensor/host-memory.js';
import { SCRATCH_BYTES, wasmKernels, wasmModule, type KernelName, type WasmExports } from './module.js';
import {
  ARGUMENTS_AT,
  browserWorkerSource,
  CONTROL_BYTES,
  ERROR_AT,
  MAX_ARGUMENTS,
  nodeWorkerSource,
  WORD,
  type WorkerStart,
} from './worker-source.js';

/** A started worker: how to end it. */
interface Handle {
  end(): void;
  scratch: HostBlock;
}

interface Pool {
  control: HostBlock;
  words: Int32Array;
  handles: Handle[];
  names: string[];
  index: Map<string, number>;
  canWait: boolean;
}

interface NodeWorker {
  unref(): void;
  terminate(): unknown;
  on(event: string, listener: (value: unknown) => void): void;
}

type NodeProcess = { getBuiltinModule?: (name: string) => unknown };

/** Pieces of work per thread: a few, so that an unequal start evens out. */
const PIECES = 4;
const SPIN = 20000;
/** A job without any sign of life for this long has lost a worker. */
const SILENCE_MILLISECONDS = 60000;

let wanted: number | undefined;
let pool: Pool | undefined;
let lost: string | undefined;

function builtin(name: string): unknown {
  const node = (globalThis as { process?: NodeProcess }).process;
  return node?.getBuiltinModule?.(name);
}

function available(): number {
  const os = builtin('node:os') as { availableParallelism(): number } | undefined;
  if (os) return os.availableParallelism();
  return (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency ?? 1;
}

/** Threads that a job may use, the calling one included. Default: the number of cores, at most 16. */
export function threads(): number {
  return (wanted ??= Math.max(1, Math.min(16, available())));
}

/** Sets the number of threads (1 to 64, the calling one included). Workers above it are ended at once. */
export function setThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > 64) {
    throw new ArgumentError(`setThreads: count must be an integer from 1 to 64, got ${show(count)}`);
  }
  if (count !== wanted) endPool();
  wanted = count;
}

/** The control block stays allocated: a worker that is just ending may still read it. */
function endPool(): void {
  if (!pool) return;
  Atomics.store(pool.words, WORD.generation, -1);
  Atomics.notify(pool.words, WORD.generation);
  for (const handle of pool.handles) {
    handle.end();
    hostMemory.release(handle.scratch);
  }
  pool = undefined;
}

/** Ends the workers; the next large job starts them again. */
export function stopThreads(): void {
  endPool();
}

function startNode(start: WorkerStart, scratch: HostBlock): Handle | undefined {
  const library = builtin('node:worker_threads') as
    { Worker: new (source: string, options: object) => NodeWorker } | undefined;
  if (!library) return undefined;
  const worker = new library.Worker(nodeWorkerSource, {
    eval: true,
    workerData: start,
    execArgv: [],
    stdin: false,
  });
  let ending = false;
  worker.unref();
  worker.on('error', (error) => (lost ??= String(error)));
  worker.on('exit', (code) => {
    if (!ending) lost ??= `exit code ${String(code)}`;
  });
  return {
    scratch,
    end: () => {
      ending = true;
      void worker.terminate();
    },
  };
}

function startBrowser(start: WorkerStart, scratch: HostBlock): Handle {
  const address = URL.createObjectURL(new Blob([browserWorkerSource], { type: 'text/javascript' }));
  const worker = new Worker(address);
  worker.onerror = (event) => (lost ??= event.message);
  worker.postMessage(start);
  return { scratch, end: () => worker.terminate() };
}

function canWait(words: Int32Array): boolean {
  try {
    Atomics.wait(words, WORD.open, -1, 0);
    return true;
  } catch {
    return false;
  }
}

/** Starts the workers, or returns undefined where there can be none. */
function ensurePool(): Pool | undefined {
  if (pool) return pool;
  const control = hostMemory.allocate(CONTROL_BYTES);
  hostMemory.u8(control.ptr, CONTROL_BYTES).fill(0);
  const words = hostMemory.i32(control.ptr, 16);
  const exported = wasmKernels() as unknown as Record<string, unknown>;
  const names = Object.keys(exported).filter((name) => typeof exported[name] === 'function');
  const made: Pool = {
    control,
    words,
    handles: [],
    names,
    index: new Map(names.map((name, i) => [name, i])),
    canWait: canWait(words),
  };
  try {
    for (let i = 1; i < threads(); i++) {
      const scratch = hostMemory.allocate(SCRATCH_BYTES);
      const memory = hostMemory.memory();
      const start = { module: wasmModule(), memory, control: control.ptr, scratch: scratch.ptr, names };
      made.handles.push(startNode(start, scratch) ?? startBrowser(start, scratch));
    }
  } catch {
    if (made.handles.length === 0) {
      wanted = 1;
      return undefined;
    }
  }
  return (pool = made);
}

/**
 * Runs `kernel(start, end, ...args)` over [0, total) on the pool and returns when all is done. Runs inline when
 * fewer than two pieces of `grain` units fit. Throws DeviceError when a kernel traps or a worker is lost.
 */
export function parallelFor(kernel: KernelName, total: number, grain: number, ...args: number[]): void {
  if (total <= 0) return;
  const count = threads();
  const least = Math.max(1, grain);
  if (count > 1 && total >= 2 * least) {
    const active = ensurePool();
    if (active)
      return runJob(active, kernel, total, Math.max(least, Math.ceil(total / (count * PIECES))), args);
  }
  runInline(kernel, 0, total, args);
}

type AnyKernel = (this: void, ...values: number[]) => void;

function kernelOf(kernel: KernelName): AnyKernel {
  return (wasmKernels() as unknown as Record<string, AnyKernel>)[kernel];
}

function runInline(kernel: KernelName, start: number, end: number, args: number[]): void {
  const call = kernelOf(kernel);
  try {
    call(start, end, ...args);
  } catch (error) {
    throw new DeviceError(`parallelFor: kernel ${kernel} must not trap, got ${String(error)}`);
  }
}

function publish(active: Pool, kernel: KernelName, total: number, chunk: number, args: number[]): void {
  const { words, control } = active;
  if (args.length > MAX_ARGUMENTS) {
    throw new ArgumentError(
      `parallelFor: args must hold at most ${MAX_ARGUMENTS} values, got ${args.length}`,
    );
  }
  const shared = new Float64Array(hostMemory.memory().buffer, control.ptr + ARGUMENTS_AT, MAX_ARGUMENTS);
  shared.set(args);
  words[WORD.total] = total;
  words[WORD.chunk] = chunk;
  words[WORD.kernel] = active.index.get(kernel) ?? -1;
  words[WORD.argumentCount] = args.length;
  words[WORD.error] = 0;
  Atomics.store(words, WORD.next, 0);
  const generation = (Atomics.load(words, WORD.generation) % 0x3fffffff) + 1;
  Atomics.store(words, WORD.open, generation);
  Atomics.store(words, WORD.generation, generation);
  Atomics.notify(words, WORD.generation);
}

function runJob(active: Pool, kernel: KernelName, total: number, chunk: number, args: number[]): void {
  if (lost !== undefined) {
    const reason = lost;
    lost = undefined;
    endPool();
    throw new DeviceError(
      `parallelFor: worker threads must stay alive, got a lost worker (${reason}). ` +
        `The next call starts new ones; setThreads(1) works without.`,
    );
  }
  const { words } = active;
  publish(active, kernel, total, chunk, args);
  const call = kernelOf(kernel);
  let failure: string | undefined;
  try {
    for (;;) {
      const start = Atomics.add(words, WORD.next, chunk);
      if (start >= total) break;
      call(start, Math.min(start + chunk, total), ...args);
    }
  } catch (error) {
    failure = String(error);
    Atomics.store(words, WORD.next, total);
  }
  Atomics.store(words, WORD.open, 0);
  awaitWorkers(active, kernel);
  const length = words[WORD.error];
  if (failure === undefined && length > 0) failure = readError(active, length);
  if (failure !== undefined)
    throw new DeviceError(`parallelFor: kernel ${kernel} must not trap, got ${failure}`);
}

function awaitWorkers(active: Pool, kernel: KernelName): void {
  const { words } = active;
  for (let i = 0; i < SPIN; i++) if (Atomics.load(words, WORD.inside) === 0) return;
  let since = Date.now();
  let last = -1;
  for (;;) {
    const inside = Atomics.load(words, WORD.inside);
    if (inside === 0) return;
    if (inside !== last) since = Date.now();
    last = inside;
    if (active.canWait) Atomics.wait(words, WORD.inside, inside, 1000);
    if (Date.now() - since > SILENCE_MILLISECONDS) {
      endPool();
      throw new DeviceError(
        `parallelFor: worker threads must finish kernel ${kernel}, got ${inside} silent for ` +
          `${SILENCE_MILLISECONDS / 1000} s; they were ended. setThreads(1) works without workers.`,
      );
    }
  }
}

function readError(active: Pool, length: number): string {
  return String.fromCharCode(...hostMemory.u8(active.control.ptr + ERROR_AT, length));
}

/** Workers that have reached their loop (they start in the background; jobs before run on fewer threads). */
export function readyWorkers(): number {
  return pool ? Atomics.load(pool.words, WORD.ready) : 0;
}

export type { WasmExports };
