/** A model that page and kernel share: state kept equal on both sides over a comm, as ipywidgets does. */
import { isDeepStrictEqual } from 'node:util';
import { kernelHost, type Comm } from '../notebook/host.js';
import { printingHere } from '../notebook/own-cell.js';
import type { Buffers } from '../threads/messages.js';
import { announce, PROTOCOL_VERSION, TARGET } from './registry.js';
import { packState, unpackState, type BufferPath, type State } from './state.js';

/** A change of one key of the state; `source` says who made it. */
export interface Change<T = unknown> {
  readonly key: string;
  readonly value: T;
  readonly old: T;
  readonly source: 'page' | 'program';
}

type Handler = (change: Change) => unknown;
type MessageHandler = (content: unknown, buffers: Buffers) => unknown;

interface PageMessage {
  readonly method?: string;
  readonly state?: State;
  readonly buffer_paths?: BufferPath[];
  readonly content?: unknown;
}

/** References to other models become their names on the wire. */
function toWire(value: unknown): unknown {
  if (value instanceof WidgetModel) {
    const id = value.open();
    return id === undefined ? null : `IPY_MODEL_${id}`;
  }
  return Array.isArray(value) ? value.map(toWire) : value;
}

/** Nothing to send? Other models are the same only if they are one; bytes may have been changed in place. */
function sameState(a: unknown, b: unknown): boolean {
  if (a instanceof WidgetModel || b instanceof WidgetModel) return a === b;
  if (ArrayBuffer.isView(a) || ArrayBuffer.isView(b)) return false;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((held, i) => sameState(held, b[i]));
  return isDeepStrictEqual(a, b);
}

export class WidgetModel {
  private comm: Comm | undefined;
  private closed = false;
  private forget: () => void = () => undefined;
  private readonly handlers = new Map<string, Set<Handler>>();
  private readonly messageHandlers = new Set<MessageHandler>();

  constructor(protected readonly values: State) {}

  /**
   * Makes the model known to the page, with the models it refers to; its id there. Undefined where no page renders
   * widgets, and after close().
   */
  open(): string | undefined {
    const host = kernelHost();
    if (!host || host.headless || this.closed) return this.comm?.commId;
    if (!this.comm) {
      const { state, buffer_paths, buffers } = packState(this.wire());
      const comm = host.openComm(TARGET, { state, buffer_paths }, { version: PROTOCOL_VERSION }, buffers);
      this.comm = comm;
      comm.onMessage((data, incoming) => this.receive(data as PageMessage, incoming));
      comm.onClose(() => this.dropped());
      this.forget = announce(host, this, comm.commId);
    }
    return this.comm.commId;
  }

  /** Takes the widget off every page. It cannot be shown again. */
  close(): void {
    const comm = this.comm;
    this.closed = true;
    this.dropped();
    comm?.close();
  }

  private dropped(): void {
    this.forget();
    this.comm = undefined;
  }

  /** The state as it stands on the wire; the keys named, or all. */
  wire(keys: readonly string[] = Object.keys(this.values)): State {
    return Object.fromEntries(keys.map((key) => [key, toWire(this.values[key])]));
  }

  /** Calls `handler` when the page or the program changes `key`; the result ends that. */
  observe<T = unknown>(key: string, handler: (change: Change<T>) => unknown): () => void {
    const bound = printingHere(handler as Handler);
    const set = this.handlers.get(key) ?? new Set();
    this.handlers.set(key, set.add(bound));
    return () => void set.delete(bound);
  }

  /** Sends a message of the program's own to the widget's code in the page. */
  send(content: unknown, buffers: Buffers = []): void {
    this.comm?.send({ method: 'custom', content }, buffers);
  }

  /** Calls `handler` for messages the widget's code in the page sends; the result ends that. */
  onMessage(handler: MessageHandler): () => void {
    const bound = printingHere(handler);
    this.messageHandlers.add(bound);
    return () => void this.messageHandlers.delete(bound);
  }

  /** Changes keys of the state, tells the page and then the observers. */
  protected change(changes: State): void {
    const done = this.apply(changes, 'program');
    if (done.length > 0) this.sendState(done.map((change) => change.key));
    void this.notify(done);
  }

  /** What becomes of a value the page sent; throws to refuse it. */
  protected accept(_key: string, value: unknown): unknown {
    return value;
  }

  private apply(changes: State, source: Change['source']): Change[] {
    const done: Change[] = [];
    for (const [key, value] of Object.entries(changes)) {
      const old = this.values[key];
      if (sameState(old, value)) continue;
      this.values[key] = value;
      done.push({ key, value, old, source });
    }
    return done;
  }

  private sendState(keys?: readonly string[]): void {
    if (!this.comm) return;
    const { state, buffer_paths, buffers } = packState(this.wire(keys));
    this.comm.send({ method: 'update', state, buffer_paths }, buffers);
  }

  private notify(changes: readonly Change[]): Promise<unknown> | undefined {
    const calls = changes.flatMap((change) =>
      [...(this.handlers.get(change.key) ?? [])].map((handler) => () => handler(change)),
    );
    return callAll(calls);
  }

  private receive(message: PageMessage, buffers: Buffers): unknown {
    if (message.method === 'update') return this.receiveState(message, buffers);
    if (message.method === 'request_state') return this.sendState();
    if (message.method === 'custom')
      return callAll([...this.messageHandlers].map((handler) => () => handler(message.content, buffers)));
    return undefined;
  }

  private receiveState(message: PageMessage, buffers: Buffers): unknown {
    const incoming = unpackState(message.state ?? {}, message.buffer_paths ?? [], buffers);
    const known = Object.fromEntries(
      Object.entries(incoming).filter(([key]) => Object.hasOwn(this.values, key)),
    );
    // Every page learns what one of them changed; the sender learns that its message has arrived.
    const echo = packState(known);
    if (Object.keys(known).length > 0)
      this.comm?.send(
        { method: 'echo_update', state: echo.state, buffer_paths: echo.buffer_paths },
        echo.buffers,
      );
    const accepted: State = {};
    const refused: unknown[] = [];
    for (const [key, value] of Object.entries(known)) {
      try {
        accepted[key] = this.accept(key, value);
      } catch (error) {
        refused.push(error);
      }
    }
    const done = this.apply(accepted, 'page');
    const corrected = Object.keys(known).filter(
      (key) => !(key in accepted) || !isDeepStrictEqual(accepted[key], known[key]),
    );
    if (corrected.length > 0) this.sendState(corrected);
    const work = this.notify(done);
    if (refused.length > 0) throw refused[0];
    return work;
  }
}

/** Calls every one, also after one failed, and reports all failures: none is lost, none stops the others. */
function callAll(calls: readonly (() => unknown)[]): Promise<unknown> | undefined {
  const errors: unknown[] = [];
  const promises: Promise<unknown>[] = [];
  for (const call of calls) {
    try {
      const result = call();
      if (result instanceof Promise) promises.push(result);
    } catch (error) {
      errors.push(error);
    }
  }
  if (promises.length === 0) {
    report(errors);
    return undefined;
  }
  return Promise.allSettled(promises).then((ends) => {
    for (const end of ends) if (end.status === 'rejected') errors.push(end.reason);
    report(errors);
  });
}

function report(errors: readonly unknown[]): void {
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} handlers of a widget failed`);
}
