/** The host backends. `cpu` is always open; `wasm` is the default where it can compile synchronously (Node). */
import { registerBackend, setInitialBackend } from '../tensor/backend.js';
import { ready } from './wasm/module.js';

export { setThreads, threads } from './wasm/threads.js';

registerBackend('wasm', ready);
if ((globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node)
  setInitialBackend('wasm');
