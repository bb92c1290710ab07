/** The two roofs of the machine that runs this, measured with the library's own kernels. */
import { neg } from '../ops/map/index.js';
import { matmul } from '../ops/matmul/index.js';
import { currentBackend, openBackend, withBackend, type BackendName } from '../tensor/backend.js';
import { scope } from '../tensor/scope.js';
import { full, type Tensor } from '../tensor/tensor.js';
import type { Machine } from './roofline.js';

/** Measured roofs: what a product and a copy of this library reach, not what the hardware could. */
export interface MeasuredMachine extends Machine {
  backend: BackendName;
  /** Side of the square product. */
  side: number;
  /** Elements of the copy. */
  words: number;
}

/** Tries of which the fastest counts: a peak is what happened at best. */
const TRIES = 5;

/**
 * Operations per second of a square f32 product and bytes per second of reading and writing an array once, each the
 * best of five after a warm-up. Takes about a second on a processor. Other work on the machine lowers both.
 */
export async function measurePeaks(
  options: { backend?: BackendName; side?: number; words?: number } = {},
): Promise<MeasuredMachine> {
  const { backend = currentBackend(), side = backend === 'cpu' ? 128 : 768, words = 1 << 22 } = options;
  await openBackend(backend);
  const device = backend === 'webgpu' ? 'gpu' : 'host';
  const a = full([side, side], 0.5, { device });
  const x = full([words], 1, { device });
  const product = await fastest(backend, () => matmul(a, a));
  const copy = await fastest(backend, () => neg(x));
  a.dispose();
  x.dispose();
  return { backend, side, words, flops: (2 * side ** 3) / product, bandwidth: (8 * words) / copy };
}

/** Seconds of the fastest of a few calls. */
async function fastest(backend: BackendName, run: () => Tensor): Promise<number> {
  let best = Infinity;
  for (let i = 0; i <= TRIES; i++) {
    const start = performance.now();
    const probe = withBackend(backend, () => scope(() => run().view([1])));
    // Only a readback makes a GPU finish.
    if (backend === 'webgpu') await probe.data();
    const seconds = (performance.now() - start) / 1000;
    probe.dispose();
    if (i > 0) best = Math.min(best, seconds);
  }
  return best;
}
