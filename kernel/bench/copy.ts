/** The copy bandwidth of a backend, which every other row is judged by. */
import { gpuContext } from '../../lib/gpu/device.js';
import { isSoftware } from '../../lib/gpu/command.js';
import { setThreads } from '../../lib/index.js';
import { neg } from '../../lib/ops/map/index.js';
import { withBackend, type BackendName } from '../../lib/tensor/backend.js';
import { scope } from '../../lib/tensor/scope.js';
import { zeros } from '../../lib/tensor/tensor.js';
import { measure, measureWork, type Timing } from './measure.js';
import type { BenchRow } from './rows.js';

const WORD_BYTES = 4;
export const COPY_WORDS = 1 << 24;
const GPU_BYTES = { hardware: 2 ** 28, software: 2 ** 26 };
/** COPY_SRC | COPY_DST. */
const COPY_USAGE = 0x04 | 0x08;

const row = (backend: string, form: string, threads: number, bytes: number, timing: Timing): BenchRow => ({
  ...{ op: 'copy', form, backend, threads, direction: 'forward' },
  dims: { N: bytes / (2 * WORD_BYTES) },
  ...{ dtype: 'f32', flops: 0, bytes },
  ...timing,
});

/** One thread, from one array to another. */
export async function hostCopy(backend: 'cpu' | 'wasm' = 'cpu'): Promise<BenchRow> {
  const from = new Float32Array(COPY_WORDS).fill(1);
  const to = new Float32Array(COPY_WORDS);
  const timing = await measure(() => to.set(from));
  return row(backend, 'parallel', 1, 2 * WORD_BYTES * COPY_WORDS, timing);
}

/** Every element read once and written once by the backend's own threads: its negation. */
async function mapCopy(threads: number): Promise<BenchRow> {
  setThreads(threads);
  const x = zeros([COPY_WORDS]);
  try {
    const timing = await measure(() => withBackend('wasm', () => scope(() => neg(x)).dispose()));
    return row('wasm', 'negation', threads, 2 * WORD_BYTES * COPY_WORDS, timing);
  } finally {
    x.dispose();
  }
}

/** From one buffer to another; several copies to a sample, so that the wait for the device weighs little. */
async function gpuCopy(): Promise<BenchRow> {
  const { device, info, limits } = gpuContext('bench');
  const software = isSoftware(info);
  const wanted = software ? GPU_BYTES.software : GPU_BYTES.hardware;
  const size = Math.min(wanted, limits.maxBufferSize);
  const make = () => device.createBuffer({ size, usage: COPY_USAGE });
  const [from, to] = [make(), make()];
  try {
    const timing = await measureWork({
      run: (calls) => {
        const encoder = device.createCommandEncoder();
        for (let i = 0; i < calls; i++) encoder.copyBufferToBuffer(from, 0, to, 0, size);
        device.queue.submit([encoder.finish()]);
        return device.queue.onSubmittedWorkDone();
      },
    });
    return { ...row('webgpu', 'buffer', 1, 2 * size, timing), ...(software ? { software } : {}) };
  } finally {
    from.destroy();
    to.destroy();
  }
}

const bandwidth = (r: BenchRow): number => r.bytes / r.medianMs;

/** The fastest copy there is on a backend with so many threads. */
export async function copyRow(backend: BackendName, threads: number): Promise<BenchRow> {
  if (backend === 'webgpu') return gpuCopy();
  const plain = await hostCopy(backend);
  if (backend === 'cpu') return plain;
  const own = await mapCopy(threads);
  // One thread's array copy is a copy of any number of threads too, where it is faster.
  return bandwidth(own) > bandwidth(plain) ? own : { ...plain, threads };
}
