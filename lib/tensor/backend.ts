/** Which backend runs operators, and on which device new tensors are made. */
import { DeviceError, show } from '../core/errors.js';
import type { DeviceName } from './storage.js';

/** cpu: TypeScript; wasm: SIMD with threads, bit-identical everywhere; webgpu: WGSL. */
export type BackendName = 'cpu' | 'wasm' | 'webgpu';

/** A computational form of an operator; never names a backend. */
export type Form = 'reference' | 'recurrent' | 'parallel' | 'chunk' | 'scan' | 'step';

export const BACKENDS: readonly BackendName[] = ['cpu', 'wasm', 'webgpu'];
export const FORMS: readonly Form[] = ['reference', 'recurrent', 'parallel', 'chunk', 'scan', 'step'];

const openers = new Map<BackendName, () => Promise<void>>();
const opened = new Set<BackendName>(['cpu']);
let current: BackendName = 'cpu';

/** A backend registers how it is made ready (compile WASM, open a device). */
export function registerBackend(name: BackendName, open: () => Promise<void>): void {
  openers.set(name, open);
}

/** Marks a backend ready without waiting, for backends that start synchronously. */
export function markOpen(name: BackendName, isOpen = true): void {
  if (isOpen) opened.add(name);
  else opened.delete(name);
}

/** Chooses the backend at load time, before any tensor exists. */
export function setInitialBackend(name: BackendName): void {
  markOpen(name);
  current = name;
}

/** Makes a backend ready and current. @throws DeviceError when it cannot run here, with advice. */
export async function useBackend(name: BackendName): Promise<void> {
  await openBackend(name);
  current = name;
}

/** Makes a backend ready without making it current. */
export async function openBackend(name: BackendName): Promise<void> {
  if (!BACKENDS.includes(name))
    throw new DeviceError(`useBackend: name must be one of ${BACKENDS.join(', ')}, got ${show(name)}`);
  if (opened.has(name)) return;
  const open = openers.get(name);
  if (!open) throw new DeviceError(`useBackend: backend ${name} is not part of this build`);
  await open();
  opened.add(name);
}

export function isOpen(name: BackendName): boolean {
  return opened.has(name);
}

/** The backend operators run on when their inputs live on its device. */
export function currentBackend(): BackendName {
  return current;
}

/** The device new tensors are made on. */
export function currentDevice(): DeviceName {
  return current === 'webgpu' ? 'gpu' : 'host';
}

/** Runs a synchronous function under another, already opened backend. */
export function withBackend<T>(name: BackendName, run: () => T): T {
  if (!opened.has(name))
    throw new DeviceError(
      `withBackend: backend ${name} must be open, got a closed one; call "await openBackend('${name}')"`,
    );
  const before = current;
  current = name;
  try {
    return run();
  } finally {
    current = before;
  }
}
