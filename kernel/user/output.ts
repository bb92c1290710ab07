/** Everything a cell shows on its way to the server, attributed to the execution whose code shows it. */
import type { Output } from '../notebook/host.js';
import type { ErrorContent, FromUser } from '../threads/messages.js';
import { currentExecution, currentSink, type Execution } from './executions.js';

/**
 * Printed characters of one execution that are passed on. The server cuts at 20 MiB and says so; a little more is
 * sent so that it sees there was more, and the rest of a runaway loop costs no memory.
 */
export const PRINTED = 22 * 1024 * 1024;

export type Send = (message: FromUser) => void;

/** Bundles may hold what cannot be sent to another thread (functions, proxies); JSON is what a notebook keeps. */
function sendable<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (_, held: unknown) => (typeof held === 'bigint' ? String(held) : held)),
  ) as T;
}

export class Outputs {
  private readonly printed = new WeakMap<Execution, number>();
  /** Code without a context (started before any cell, or by a library that lost it) shows in the last cell. */
  private last: Execution | undefined;

  constructor(private readonly send: Send) {}

  /** The execution started last. */
  begin(execution: Execution): void {
    this.last = execution;
  }

  /** The execution that what is shown now belongs to. */
  owner(): Execution | undefined {
    return currentExecution() ?? this.last;
  }

  /** One output of the running code: to its sink, if it has one, or to the front end. */
  output(output: Output): void {
    const sink = currentSink();
    const execution = this.owner();
    if (sink) sink(output);
    else if (execution) this.post(output, execution);
  }

  /** An error that ended nothing: a rejection nobody handled, a timer or handler that threw. */
  error(content: ErrorContent, execution: Execution | undefined): void {
    if (execution) this.send({ type: 'error', id: execution.outputId, ...content });
  }

  /** What the last expression of a cell shows. */
  result(execution: Execution, data: Record<string, unknown>, metadata: Record<string, unknown>): void {
    this.postDisplay({
      type: 'display',
      id: execution.outputId,
      kind: 'execute_result',
      data,
      metadata,
      count: execution.count,
    });
  }

  /** Printed text of an execution. */
  print(name: 'stdout' | 'stderr', text: string, execution: Execution): void {
    if (text === '') return;
    const before = this.printed.get(execution) ?? 0;
    this.printed.set(execution, before + text.length);
    if (before >= PRINTED) return;
    const kept = before + text.length > PRINTED ? text.slice(0, PRINTED - before) : text;
    this.send({ type: 'stream', id: execution.outputId, name, text: kept });
  }

  /** The execution is about to reply: tells how much was printed beyond what was sent. */
  end(execution: Execution): void {
    const lost = (this.printed.get(execution) ?? 0) - PRINTED;
    if (lost > 0) this.send({ type: 'stream', id: execution.outputId, name: 'stderr', text: '', lost });
  }

  private post(output: Output, execution: Execution): void {
    const id = execution.outputId;
    if (output.kind === 'stream') this.print(output.name, output.text, execution);
    else if (output.kind === 'clear') this.send({ type: 'clear', id, wait: output.wait });
    else if (output.kind === 'error') {
      const { ename, evalue, traceback } = output;
      this.send({ type: 'error', id, ename, evalue, traceback });
    } else {
      const { data, metadata, displayId, update } = output;
      const kind = update ? 'update_display_data' : 'display_data';
      this.postDisplay({ type: 'display', id, kind, data, metadata, displayId });
    }
  }

  private postDisplay(message: FromUser & { type: 'display' }): void {
    try {
      this.send(message);
    } catch {
      this.send({ ...message, data: sendable(message.data), metadata: sendable(message.metadata) });
    }
  }
}
