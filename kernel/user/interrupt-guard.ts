/**
 * The user thread's side of an interrupt: what loop guards, timers and GPU calls ask, what the server's message does,
 * and the decision, made on this thread, whether the code that runs may be terminated.
 */
import type { InterruptState } from '../threads/interrupt-state.js';
import { nodeBinding } from '../threads/node-binding.js';
import {
  CellInterrupted,
  currentExecution,
  interruptExecution,
  runIn,
  running,
  type Execution,
} from './executions.js';
import { capture, filesOf, ownerOf } from './interrupt-frames.js';
import { nodeTimers } from './node-timers.js';

/** Where the server's inspector session finds `halt`. */
export const HALT = Symbol.for('assay.halt');
/** Where loops of the library find the running cell's signal. */
const AMBIENT_SIGNAL = Symbol.for('assay.signal');
/** Name of the script it evaluates; frames down to it are not the interrupted code's. */
export const HALT_SCRIPT = 'assay-halt';
/** Code of a finished cell, or of nobody, that lets no event pass for this long is what the user wants stopped. */
const HOGGING_MS = 150;
/** A cell that a guard ended comes to its reply by itself within this time. */
const UNWIND_MS = 20;
/** The server answers within a millisecond; a server that does not answer is dead. */
const HANDSHAKE_MS = 1000;

/** What `halt` found: only after `go` execution is terminated. */
export type Verdict = 'go' | 'over' | 'native' | 'kernel' | 'idle';

/**
 * Node asserts that its stack of asynchronous ids is empty whenever an event is over, and terminated code leaves
 * its ids there. Uncaught exceptions are cleared up by this same function.
 */
function findClearIds(): (() => void) | undefined {
  const clear = nodeBinding('async_wrap')?.clearAsyncIdStack;
  return typeof clear === 'function' ? (clear as () => void) : undefined;
}

export class InterruptGuard {
  /** The last interrupt whose executions are known. */
  private seen = 0;
  private seenAt = 0;
  /**
   * Executions to be refused from now on. They are told (interruptExecution) only from the event loop: terminating a
   * microtask loses all that wait behind it, and the reply of the interrupted cell would be among them.
   */
  private readonly marked = new WeakSet<Execution>();
  private waiting: Execution[] = [];
  private rearming = false;
  private clearIds: (() => void) | undefined;

  constructor(readonly state: InterruptState) {
    Object.defineProperty(globalThis, HALT, {
      value: (epoch: number, patience: number) => this.halt(epoch, patience),
      configurable: true,
    });
    Object.defineProperty(globalThis, AMBIENT_SIGNAL, {
      value: () => currentExecution()?.signal,
      configurable: true,
    });
  }

  /** What loop guards call while the flag is up. @throws CellInterrupted when the running code shall end */
  readonly stop = (): void => {
    if (this.refused()) throw new CellInterrupted();
  };

  /** Was `execution` interrupted, be it that it was not told yet? */
  isInterrupted(execution: Execution): boolean {
    return execution.interrupted || this.marked.has(execution);
  }

  /** Shall the code that runs now end? Also marks the executions of an interrupt whose message is still waiting. */
  refused(): boolean {
    const epoch = this.state.stop;
    if (epoch > this.seen) this.see(epoch);
    const execution = currentExecution();
    if (execution && this.isInterrupted(execution)) return true;
    if (epoch === 0) return false;
    if (this.state.ack >= epoch) {
      this.disarm(epoch);
      return false;
    }
    if (performance.now() - this.seenAt < HOGGING_MS) return false;
    if (execution) this.mark(execution);
    return true;
  }

  /** The server's message: from here on the event loop is known to turn. */
  interrupt(epoch: number, id?: string): void {
    const ending = epoch <= this.seen;
    if (!ending) this.see(epoch, id);
    this.state.ack = epoch;
    const tell = () => {
      // In its own context, for the listeners of its signal.
      for (const execution of this.waiting.splice(0)) runIn(execution, () => interruptExecution(execution));
    };
    // A guard has thrown already: its error, which names the line, is on its way out.
    if (ending) nodeTimers.setTimeout(tell, UNWIND_MS);
    else tell();
  }

  private see(epoch: number, id?: string): void {
    this.seen = epoch;
    this.seenAt = performance.now();
    for (const execution of running()) if (id === undefined || execution.id === id) this.mark(execution);
  }

  private mark(execution: Execution): void {
    this.marked.add(execution);
    this.waiting.push(execution);
  }

  /**
   * Loops of later cells must not ask again in every turn, but what is left of interrupted cells must: the flag is
   * down for the rest of this job, in which no other execution can run, and up again right after it. Exchanged
   * only if unchanged, because the server may raise the next interrupt in between.
   */
  private disarm(epoch: number): void {
    if (this.rearming) return;
    this.rearming = true;
    Atomics.compareExchange(this.state.cells, 0, epoch, 0);
    void Promise.resolve().then(() => {
      this.rearming = false;
      Atomics.compareExchange(this.state.cells, 0, 0, this.seen);
    });
  }

  /**
   * Asked by the server's session, in the middle of whatever runs. On `go` the server has already sent its request to
   * terminate, which is carried out before the interrupted code takes another step: nothing can change in between.
   */
  private halt(epoch: number, patience: number): Verdict {
    if (this.state.ack >= epoch) return 'over';
    if (this.state.native > 0) return 'native';
    const on = this.onStack(patience);
    if (on !== 'go') return on;
    this.clearIds ??= findClearIds();
    if (!this.clearIds || !this.handshake()) return 'native';
    if (epoch > this.seen) this.see(epoch);
    const execution = currentExecution();
    if (execution && !this.isInterrupted(execution)) this.mark(execution);
    this.clearIds();
    return 'go';
  }

  /**
   * Lets the server send its request to terminate (1: wanted, 2: taken on, 3: sent). False if it does not. Waits
   * awake: the interrupted code may be in Atomics.wait, and V8 cannot wait within a wait.
   */
  private handshake(): boolean {
    const { cells } = this.state;
    const end = performance.now() + HANDSHAKE_MS;
    Atomics.store(cells, 3, 1);
    while (Atomics.load(cells, 3) !== 3)
      if (performance.now() > end && Atomics.compareExchange(cells, 3, 1, 0) === 1) return false;
    Atomics.store(cells, 3, 0);
    return true;
  }

  /**
   * `go` where termination leaves nothing half done: the innermost code is the user's. After some patience code of
   * Node called by the user's will do. The kernel's own code and the library's GPU layer are never cut.
   */
  private onStack(patience: number): Verdict {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- names the frame below which to look
    const { halt } = this;
    const files = filesOf(capture(halt, 200));
    const own = files.indexOf(HALT_SCRIPT);
    for (const file of files.slice(own + 1)) {
      const owner = ownerOf(file);
      if (owner === 'user' || owner === 'library-pause') return 'go';
      if (owner !== 'node') return 'kernel';
      if (patience > 0) return 'kernel';
    }
    return 'idle';
  }
}
