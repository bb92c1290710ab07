/** The GPU devices of the process: a buffer does not know which of them made it, and only that one can copy from it. */

const known = new Set<WeakRef<GPUDevice>>();

/** Tells the display of a device; call it for every device that is made. */
export function noteDevice(device: GPUDevice): void {
  const reference = new WeakRef(device);
  known.add(reference);
  const forget = (): void => void known.delete(reference);
  device.lost.then(forget, forget);
}

/** Where the library keeps the process's GPU; without it the library need not be loaded to ask. */
const LIBRARY_GPU = Symbol.for('assay.gpu');

/** Devices that are alive, the library's among them, the latest first. */
export async function knownDevices(): Promise<GPUDevice[]> {
  const found = new Set<GPUDevice>();
  for (const reference of [...known].reverse()) {
    const device = reference.deref();
    if (device) found.add(device);
    else known.delete(reference);
  }
  if (LIBRARY_GPU in globalThis) {
    const { currentGpu } = await import('../../lib/gpu/device.js');
    const device = currentGpu()?.device;
    if (device) found.add(device);
  }
  return [...found];
}
