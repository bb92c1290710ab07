/** Whether this machine has a GPU adapter, real or software; tests that need one are skipped visibly otherwise. */
import { tmpdir } from 'node:os';
import { useBackend } from '../../lib/tensor/backend.js';
import { openGpu, type GpuContext } from '../../lib/gpu/index.js';

// Software Vulkan warns without it.
process.env.XDG_RUNTIME_DIR ??= tmpdir();

/** A NaN whose bits no kernel writes: poisoned blocks show elements that were not written. */
export const POISON = 0x7fc0dead;

/** Milliseconds a test may take: software drivers compile heavy shaders for seconds when their cache is cold. */
export const COLD = 240_000;

export interface Adapter {
  context: GpuContext | undefined;
  /** Why there is none. */
  reason: string;
}

/** Opens the adapter with poisoned buffers and makes webgpu the current backend. */
export async function openAdapter(): Promise<Adapter> {
  try {
    const context = await openGpu();
    context.poison = POISON;
    await useBackend('webgpu');
    return { context, reason: '' };
  } catch (error) {
    return { context: undefined, reason: String(error) };
  }
}
