/** What has to be put away before the process ends: GPU devices, connections, child processes. */

const hooks = new Set<() => unknown>();

/**
 * Calls `hook` once before the kernel's process ends.
 *
 * @returns takes the hook back
 */
export function onClose(hook: () => unknown): () => void {
  hooks.add(hook);
  return () => void hooks.delete(hook);
}

/** Runs all hooks at once and waits for them, but no longer than `milliseconds`. A hook that fails is left behind. */
export async function closeAll(milliseconds: number): Promise<void> {
  const all = [...hooks].map(async (hook) => hook());
  hooks.clear();
  const limit = new Promise((resolve) => setTimeout(resolve, milliseconds).unref());
  await Promise.race([Promise.allSettled(all), limit]);
}
