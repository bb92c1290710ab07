/**
 * The executions of the user thread: cells, and comm messages of the front end, each with the asynchronous context
 * that tells for every output, timer, promise and GPU call whose it is, also long after its end.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';
import type { Output } from '../notebook/host.js';

/** As Node made it: cells may replace the global one. */
const { AbortController } = globalThis;

/** Thrown where an interrupted execution tries to go on. */
export class CellInterrupted extends Error {
  override readonly name = 'CellInterrupted';

  constructor(message = 'interrupted') {
    super(message);
  }
}

/** One execution from its request to the last of its timers. */
export class Execution {
  /** Aborted, with a CellInterrupted as its reason, when the execution is interrupted. */
  readonly controller = new AbortController();
  /** Set for good: later timers, promises and GPU calls of this execution are refused. */
  interrupted = false;
  /** The reply was sent; what still comes is late output. */
  replied = false;
  /** An error of its late work (rejection, timer) seen while it ran: makes the reply an error. */
  failure: { error: unknown } | undefined;
  /** Work its reply waits for beside its own promise, such as displays that are being formatted. */
  readonly held: Promise<unknown>[] = [];
  /** Resolves at the interrupt; the reply then does not wait for the cell's own promises. */
  readonly interruption: Promise<CellInterrupted>;
  private interruptNow!: (error: CellInterrupted) => void;

  /** `id` is the msg_id of the request, `count` the number in the square brackets. */
  constructor(
    readonly id: string,
    readonly count: number,
    /** `cell` for execute requests, `comm` for a message of a widget. */
    readonly kind: 'cell' | 'comm' = 'cell',
    /** Where its outputs go: a widget's handler shows in the cell that made the widget. */
    readonly outputId: string = id,
    readonly allowStdin = false,
  ) {
    this.interruption = new Promise((resolve) => (this.interruptNow = resolve));
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** See interruptExecution. */
  interrupt(): void {
    if (this.interrupted) return;
    this.interrupted = true;
    const error = new CellInterrupted();
    // Made by the server's message: where that is handled says nothing about the cell.
    error.stack = `${error.name}: ${error.message}`;
    this.interruptNow(error);
    // Last: listeners of the signal are user code and may throw or take their time. They are this cell's.
    runIn(this, () => this.controller.abort(error));
  }
}

/** What the asynchronous context carries: the execution and where its outputs go instead of the front end. */
class Context {
  constructor(
    readonly execution: Execution | undefined,
    readonly sink?: (output: Output) => void,
  ) {}

  /** Node 20 keeps it in a property of timers and ports, and shows it with them. */
  [inspect.custom](): string {
    return this.execution ? `[cell ${this.execution.count}]` : '[no cell]';
  }
}

const contexts = new AsyncLocalStorage<Context>();
const open = new Set<Execution>();

/** The execution whose code, timer, promise or handler runs now. */
export function currentExecution(): Execution | undefined {
  return contexts.getStore()?.execution;
}

/** Where the running code's outputs go instead of the front end. */
export function currentSink(): ((output: Output) => void) | undefined {
  return contexts.getStore()?.sink;
}

/** Runs `body`, and all that it starts, as part of `execution`. */
export function runIn<T>(execution: Execution | undefined, body: () => T): T {
  return contexts.run(new Context(execution), body);
}

/** Runs `body`, and all that it starts, with its outputs going to `sink`; what the sink itself prints goes on. */
export function runWithSink<T>(sink: (output: Output) => void, body: () => T): T {
  const outer = contexts.getStore() ?? new Context(undefined);
  const outside = (output: Output): void => contexts.run(outer, sink, output);
  return contexts.run(new Context(outer.execution, outside), body);
}

/** The executions that have not replied yet, oldest first. */
export function running(): Iterable<Execution> {
  return [...open];
}

/** Counts an execution as running until `finished`. */
export function started(execution: Execution): void {
  open.add(execution);
}

/** The execution has its reply. */
export function finished(execution: Execution): void {
  execution.replied = true;
  open.delete(execution);
}

/** Marks `execution` interrupted, aborts its signal and makes its reply a CellInterrupted error at once. */
export function interruptExecution(execution: Execution): void {
  execution.interrupt();
}
