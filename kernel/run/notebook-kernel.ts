/** What executing a notebook needs of a kernel, wherever it runs: a child process, a socket, a Jupyter server. */
import type { KernelOutput } from './notebook.js';

/** How an execution ended. `reason` is the error's text where the kernel gives one. */
export type CellEnd =
  { readonly ok: true; readonly count?: number } | { readonly ok: false; reason?: string };

export interface NotebookKernel {
  /** Runs code. `show` gets everything it shows, also what comes after its end. Rejects with LostServer only. */
  execute(code: string, show: (output: KernelOutput) => void): Promise<CellEnd>;
  /** Asks the running code to stop; whether it did is seen by its end. False where it cannot be asked. */
  interrupt(): Promise<boolean>;
  /** Resolves with the reason when the kernel ended without being told to. */
  readonly gone: Promise<string>;
  /** Ends the kernel, by force where it does not go; never rejects. */
  close(): Promise<void>;
}

/** The server between us and the kernel does not answer any more: the run may be repeated elsewhere or later. */
export class LostServer extends Error {
  override name = 'LostServer';
}

/** Content of a Jupyter message as an output; undefined for messages that show nothing. */
export function outputOf(type: string, content: Record<string, unknown>): KernelOutput | undefined {
  const data = content['data'] as Record<string, unknown>;
  const metadata = (content['metadata'] ?? {}) as Record<string, unknown>;
  const id = (content['transient'] as { display_id?: string } | undefined)?.display_id;
  switch (type) {
    case 'stream':
      return { type, name: content['name'] as 'stdout' | 'stderr', text: content['text'] as string };
    case 'display_data':
      return { type: 'display', output: { output_type: type, data, metadata }, id };
    case 'execute_result': {
      const execution_count = content['execution_count'] as number;
      return { type: 'display', output: { output_type: type, data, metadata, execution_count }, id };
    }
    case 'update_display_data':
      return id === undefined ? undefined : { type: 'update', id, data, metadata };
    case 'clear_output':
      return { type: 'clear', wait: content['wait'] === true };
    case 'error': {
      const { ename, evalue, traceback } = content as { ename: string; evalue: string; traceback: string[] };
      return { type, ename, evalue, traceback };
    }
  }
  return undefined;
}

/** How an execute_reply says the execution ended. */
export function endOf(content: Record<string, unknown>): CellEnd {
  if (content['status'] === 'ok') return { ok: true, count: content['execution_count'] as number };
  const { ename, evalue } = content as { ename?: string; evalue?: string };
  if (ename === undefined || ename === '') return { ok: false };
  return { ok: false, reason: evalue ? `${ename}: ${evalue}` : ename };
}
