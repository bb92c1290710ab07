/**
 * What the modules a notebook imports (`assay/notebook`, `tslab`) need of the kernel they run in. The user
 * thread puts it on globalThis under a registered symbol, so that it is found whatever copy of the module asks.
 */
import type { Buffers, Metadata, MimeBundle } from '../threads/messages.js';

/** The running cell as its own code sees it: the global `cell`. */
export interface CellHandle {
  /** The number in the square brackets. */
  readonly count: number;
  /** Aborted when the cell is interrupted; pass it on to whatever takes an AbortSignal. */
  readonly signal: AbortSignal;
  /** Throws CellInterrupted when the cell was interrupted. */
  throwIfInterrupted(): void;
}

/** One output of a cell, as messages and notebooks know it. */
export type Output =
  | { kind: 'stream'; name: 'stdout' | 'stderr'; text: string }
  | { kind: 'display'; data: MimeBundle; metadata: Metadata; displayId?: string; update?: boolean }
  | { kind: 'error'; ename: string; evalue: string; traceback: string[] }
  | { kind: 'clear'; wait: boolean };

export interface Comm {
  readonly commId: string;
  readonly targetName: string;
  send(data: unknown, buffers?: Buffers, metadata?: Metadata): void;
  close(data?: unknown): void;
  /** One handler each; errors it throws are shown in the cell that opened the comm. */
  onMessage(handler: (data: unknown, buffers: Buffers) => unknown): void;
  onClose(handler: (data: unknown) => unknown): void;
}

export interface KernelHost {
  /** The cell whose code (or whose timer, promise or comm handler) is running now. */
  cell(): CellHandle | undefined;
  /** Sends one output of the running cell. */
  output(output: Output): void;
  /**
   * Runs `body` with all outputs of its code (also of its later timers and promises) going to `sink` instead of
   * the front end. For output widgets and for `interact`.
   */
  withSink<T>(sink: (output: Output) => void, body: () => T): T;
  openComm(targetName: string, data: unknown, metadata?: Metadata, buffers?: Buffers): Comm;
  /** Handles comms the front end opens. */
  registerTarget(targetName: string, handler: (comm: Comm, data: unknown, buffers: Buffers) => unknown): void;
  input(prompt: string, options?: { password?: boolean }): Promise<string>;
  /** Blocks the cell, as prompt() does in a browser. */
  inputSync(prompt: string, options?: { password?: boolean }): string;
  /** The MIME bundle of any value, with readbacks awaited; what the last expression of a cell shows. */
  format(value: unknown): Promise<{ data: MimeBundle; metadata: Metadata }>;
  /** ename, evalue and traceback of an error, frames in the cell's own lines. */
  formatError(error: unknown): { ename: string; evalue: string; traceback: string[] };
  /** The reply of the running execution waits for `work` (such as a display being formatted) and fails if it does. */
  hold?(work: Promise<unknown>): void;
  /** True where no front end renders (headless runs): progress and live charts then keep their last state. */
  readonly headless: boolean;
}

/** A value with this property is on the page already: as a cell's last expression it shows nothing more. */
export const SHOWN = Symbol.for('assay.shown');

const HOST = Symbol.for('assay.kernel');

/** The kernel around this module, or undefined outside the assay kernel. */
export function kernelHost(): KernelHost | undefined {
  return (globalThis as { [HOST]?: KernelHost })[HOST];
}

/** The kernel around this module; throws where there is none, naming `what` was wanted. */
export function needHost(what: string): KernelHost {
  const host = kernelHost();
  if (!host)
    throw new Error(
      `${what}: needs the assay kernel, got a program or a notebook on another kernel; choose "TypeScript (Assay)"`,
    );
  return host;
}

/** Puts the kernel where modules find it. */
export function provideHost(host: KernelHost): void {
  (globalThis as { [HOST]?: KernelHost })[HOST] = host;
}
