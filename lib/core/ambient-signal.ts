/** How long work hears that the program around it wants it to stop, without being handed a signal. */

const AMBIENT = Symbol.for('assay.signal');

/**
 * The signal that a loop watches: `given`, the one of the surroundings (a notebook's running cell), or both in one.
 *
 * Surroundings offer theirs as a function under `Symbol.for('assay.signal')` on globalThis. A loop asks once, when it
 * starts, so that work begun by one cell is never stopped by the interrupt of another.
 */
export function stopSignal(given?: AbortSignal): AbortSignal | undefined {
  const ambient = (globalThis as { [AMBIENT]?: () => AbortSignal | undefined })[AMBIENT]?.();
  if (!ambient || ambient === given) return given;
  return given ? AbortSignal.any([given, ambient]) : ambient;
}
