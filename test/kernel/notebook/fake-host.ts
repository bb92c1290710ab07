/** A kernel for tests: records what it is told, answers as asked, and has a clock that tests turn. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { provideHost, type Comm, type KernelHost, type Output } from '../../../kernel/notebook/host.js';
import type { Clock } from '../../../kernel/notebook/clock.js';
import type { Buffers, Metadata, MimeBundle } from '../../../kernel/threads/messages.js';

/** Time that passes only when told. */
export class FakeClock implements Clock {
  time = 0;
  private timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.time + ms, run };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((other) => other !== timer));
  }

  /** Lets time pass: due timers fire in their order, what they promise is settled. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      await settled();
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((other) => other !== next);
      this.time = Math.max(this.time, next.at);
      next.run();
    }
    this.time = end;
    await settled();
  }
}

/** Lets everything that is ready run. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

export interface Sent {
  data: unknown;
  buffers?: Buffers;
  metadata?: Metadata;
}

export class FakeComm implements Comm {
  readonly sent: Sent[] = [];
  closed = false;
  private message: ((data: unknown, buffers: Buffers) => unknown) | undefined;
  private end: ((data: unknown) => unknown) | undefined;

  constructor(
    readonly commId: string,
    readonly targetName: string,
    readonly opened: Sent,
    private readonly run: <T>(body: () => T) => T,
  ) {}

  send(data: unknown, buffers?: Buffers, metadata?: Metadata): void {
    // What is sent is read at once, as over a real channel.
    this.sent.push({
      data: structuredClone(data),
      buffers: buffers?.map((bytes) => bytes.slice()),
      metadata,
    });
  }
  close(): void {
    this.closed = true;
  }
  onMessage(handler: (data: unknown, buffers: Buffers) => unknown): void {
    this.message = handler;
  }
  onClose(handler: (data: unknown) => unknown): void {
    this.end = handler;
  }

  /** A message of the page. */
  receive(data: unknown, buffers: Buffers = []): unknown {
    return this.run(() => this.message?.(data, buffers));
  }
  receiveClose(): unknown {
    return this.run(() => this.end?.({}));
  }

  /** Messages sent of one method. */
  of(method: string): Record<string, unknown>[] {
    return this.sent
      .map(({ data }) => data as Record<string, unknown>)
      .filter((data) => data.method === method);
  }
}

interface Context {
  cell: string;
  sink?: (output: Output) => void;
}

export class FakeHost implements KernelHost {
  headless = false;
  readonly outputs: { cell: string; output: Output }[] = [];
  readonly comms: FakeComm[] = [];
  readonly targets = new Map<string, (comm: Comm, data: unknown, buffers: Buffers) => unknown>();
  readonly held: Promise<unknown>[] = [];
  controller = new AbortController();
  inputs: string[] = [];
  private readonly contexts = new AsyncLocalStorage<Context>();
  private next = 1;

  install(): this {
    provideHost(this);
    return this;
  }

  /** Runs code as a cell (or as the message of a widget). */
  in<T>(cell: string, body: () => T): T {
    return this.contexts.run({ cell }, body);
  }

  cell() {
    const { signal } = this.controller;
    return { count: 1, signal, throwIfInterrupted: () => signal.throwIfAborted() };
  }
  output(output: Output): void {
    const context = this.contexts.getStore() ?? { cell: 'none' };
    if (context.sink) context.sink(output);
    else this.outputs.push({ cell: context.cell, output: structuredClone(output) });
  }
  withSink<T>(sink: (output: Output) => void, body: () => T): T {
    const cell = this.contexts.getStore()?.cell ?? 'none';
    return this.contexts.run({ cell, sink }, body);
  }
  openComm(targetName: string, data: unknown, metadata?: Metadata, buffers?: Buffers): FakeComm {
    const id = `comm-${this.next++}`;
    const opened = { data: structuredClone(data), metadata, buffers };
    const comm = new FakeComm(id, targetName, opened, (body) => this.in(`message-to-${id}`, body));
    this.comms.push(comm);
    return comm;
  }
  registerTarget(name: string, handler: (comm: Comm, data: unknown, buffers: Buffers) => unknown): void {
    this.targets.set(name, handler);
  }
  /** A comm the page opens. */
  pageOpens(targetName: string): FakeComm {
    const comm = new FakeComm(`page-${this.next++}`, targetName, { data: {} }, (body) =>
      this.in('page', body),
    );
    this.targets.get(targetName)?.(comm, {}, []);
    return comm;
  }
  async input(): Promise<string> {
    return this.inputs.shift() ?? '';
  }
  inputSync(): string {
    return this.inputs.shift() ?? '';
  }
  async format(value: unknown): Promise<{ data: MimeBundle; metadata: Metadata }> {
    const hook = (value as Record<symbol, (() => MimeBundle) | undefined> | null)?.[
      Symbol.for('Jupyter.display')
    ];
    await Promise.resolve();
    if (hook) return { data: hook.call(value), metadata: {} };
    return { data: { 'text/plain': String(value) }, metadata: {} };
  }
  formatError(error: unknown) {
    const { name, message } = error as Error;
    return { ename: name, evalue: message, traceback: [`${name}: ${message}`] };
  }
  hold(work: Promise<unknown>): void {
    this.held.push(work);
    work.catch(() => undefined);
  }

  /** Displays and updates, in order. */
  get displays() {
    return this.outputs.flatMap(({ output }) => (output.kind === 'display' ? [output] : []));
  }

  /** What a reader sees at the end: every entry with its last content, in order of appearance. */
  get page(): MimeBundle[] {
    const entries = new Map<string, MimeBundle>();
    for (const [i, { data, displayId, update }] of this.displays.entries()) {
      const key = displayId ?? `#${i}`;
      if (update && !entries.has(key)) throw new Error(`update of an entry that was never shown: ${key}`);
      entries.set(key, data);
    }
    return [...entries.values()];
  }

  /** The comm of the last widget of a model. */
  model(name: string): FakeComm {
    const found = this.comms.filter(
      (comm) =>
        (comm.opened.data as { state?: { _model_name?: string } }).state?._model_name === `${name}Model`,
    );
    const last = found.at(-1);
    if (!last) throw new Error(`no ${name} was opened`);
    return last;
  }
}

/** No kernel: as in a plain program. */
export function withoutHost<T>(body: () => T): T {
  provideHost(undefined as unknown as KernelHost);
  return body();
}
