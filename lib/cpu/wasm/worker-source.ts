/**
 * Source text of a pool worker, the same in Node and browsers, and the layout of the control block it shares with
 * the main thread. Plain text because a bundled library has no file of its own to start a worker from.
 */

/** Words (i32) of the control block. */
export const WORD = {
  /** Number of the current job; workers wait for it to change. */
  generation: 0,
  /** The generation open for work; 0 = closed. */
  open: 1,
  /** Threads inside the job; the main thread waits for 0. */
  inside: 2,
  /** Next unit to hand out. */
  next: 3,
  total: 4,
  chunk: 5,
  kernel: 6,
  argumentCount: 7,
  /** Length of the error text a worker left; 0 = none. */
  error: 8,
  /** Workers that reached their loop. */
  ready: 9,
} as const;

export const ARGUMENTS_AT = 64;
export const MAX_ARGUMENTS = 48;
export const ERROR_AT = ARGUMENTS_AT + 8 * MAX_ARGUMENTS;
export const ERROR_BYTES = 512;
export const CONTROL_BYTES = ERROR_AT + ERROR_BYTES;

/** What a worker is started with. */
export interface WorkerStart {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  control: number;
  scratch: number;
  names: readonly string[];
}

const loop = `
function serve({ module, memory, control, scratch, names }) {
  const abort = () => { throw new Error('abort'); };
  const kernels = new WebAssembly.Instance(module, { env: { memory, abort } }).exports;
  kernels.setScratch(scratch);
  const words = new Int32Array(memory.buffer, control, 16);
  const args = new Float64Array(memory.buffer, control + ${ARGUMENTS_AT}, ${MAX_ARGUMENTS});
  const text = new Uint8Array(memory.buffer, control + ${ERROR_AT}, ${ERROR_BYTES});
  const fail = (error) => {
    const message = String(error && error.message || error).slice(0, ${ERROR_BYTES});
    for (let i = 0; i < message.length; i++) text[i] = message.charCodeAt(i) & 127;
    Atomics.store(words, ${WORD.error}, message.length || 1);
    Atomics.store(words, ${WORD.next}, Atomics.load(words, ${WORD.total}));
  };
  let seen = 0;
  Atomics.add(words, ${WORD.ready}, 1);
  for (;;) {
    for (let i = 0; i < 4000 && Atomics.load(words, ${WORD.generation}) === seen; i++);
    while (Atomics.load(words, ${WORD.generation}) === seen) Atomics.wait(words, ${WORD.generation}, seen);
    seen = Atomics.load(words, ${WORD.generation});
    if (seen < 0) return;
    Atomics.add(words, ${WORD.inside}, 1);
    if (Atomics.load(words, ${WORD.open}) === seen) {
      try {
        const total = words[${WORD.total}];
        const chunk = words[${WORD.chunk}];
        const kernel = kernels[names[words[${WORD.kernel}]]];
        const rest = Array.from(args.subarray(0, words[${WORD.argumentCount}]));
        for (;;) {
          const start = Atomics.add(words, ${WORD.next}, chunk);
          if (start >= total) break;
          kernel(start, Math.min(start + chunk, total), ...rest);
        }
      } catch (error) {
        fail(error);
      }
    }
    if (Atomics.sub(words, ${WORD.inside}, 1) === 1) Atomics.notify(words, ${WORD.inside});
  }
}
`;

/** For `new Worker(text, { eval: true, workerData })` of node:worker_threads. */
export const nodeWorkerSource = `${loop}\nserve(require('node:worker_threads').workerData);`;

/** For a Blob worker that gets its WorkerStart as the first message. */
export const browserWorkerSource = `${loop}\nonmessage = (event) => serve(event.data);`;
