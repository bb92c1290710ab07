/**
 * SIGINT in a worker thread. Node runs `process.on('SIGINT')` on the main thread only, which a cell may keep busy;
 * libuv, however, wakes every event loop that watches a signal. So the worker watches by Node's own handle for
 * signals, and nothing is ever terminated by the signal itself.
 */
import { constants } from 'node:os';
import { nodeBinding } from '../threads/node-binding.js';

interface SignalHandle {
  onsignal: () => void;
  unref(): void;
  start(signal: number): number;
  close(): void;
}

/** Calls `interrupt` for every SIGINT; returns what ends it, or undefined where the platform offers no way. */
export function watchSigint(interrupt: () => void): (() => void) | undefined {
  if (process.platform === 'win32') return undefined;
  const Signal = nodeBinding('signal_wrap')?.Signal as (new () => SignalHandle) | undefined;
  if (!Signal) return undefined;
  const handle = new Signal();
  handle.onsignal = interrupt;
  handle.unref();
  if (handle.start(constants.signals.SIGINT) !== 0) return undefined;
  return () => handle.close();
}
