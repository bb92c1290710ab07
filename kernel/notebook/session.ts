/** The session around a cell: its handle, comms with the page, and questions to the reader. */
import type { Buffers, Metadata } from '../threads/messages.js';
import { kernelHost, needHost, type CellHandle, type Comm } from './host.js';

export type { CellHandle, Comm };

/** The running cell, or undefined outside the assay kernel. */
export function currentCell(): CellHandle | undefined {
  return kernelHost()?.cell();
}

function runningCell(): CellHandle {
  const handle = needHost('cell').cell();
  if (!handle) throw new Error('cell: must be used while a cell runs, got a call from outside every cell');
  return handle;
}

/** The cell whose code is running: its number, its AbortSignal, `throwIfInterrupted()`. */
export const cell: CellHandle = {
  get count() {
    return runningCell().count;
  },
  get signal() {
    return runningCell().signal;
  },
  throwIfInterrupted: () => runningCell().throwIfInterrupted(),
};

/** Opens a comm: a channel of messages to code in the page that registered `targetName`. */
export function openComm(
  targetName: string,
  data: unknown = {},
  options: { metadata?: Metadata; buffers?: Buffers } = {},
): Comm {
  return needHost('openComm').openComm(targetName, data, options.metadata, options.buffers);
}

/** Calls `handler` for every comm that code in the page opens with this target. */
export function registerTarget(
  targetName: string,
  handler: (comm: Comm, data: unknown, buffers: Buffers) => unknown,
): void {
  needHost('registerTarget').registerTarget(targetName, handler);
}

/** Asks the reader for a line; other work of the kernel goes on meanwhile. */
export function input(prompt = '', options: { password?: boolean } = {}): Promise<string> {
  return needHost('input').input(prompt, options);
}

/** Asks the reader for a line and blocks the cell until it comes, as `prompt()` does in a browser. */
export function prompt(message = '', options: { password?: boolean } = {}): string {
  return needHost('prompt').inputSync(message, options);
}
