/** Time and interrupts as progress, charts and controls see them; tests bring their own. */
import { setMaxListeners } from 'node:events';

export interface Clock {
  /** Milliseconds from some start. */
  now(): number;
  /** Calls `run` after `ms`; the result takes it back. */
  after(ms: number, run: () => void): () => void;
}

/** The machine's clock. Its timers keep no process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, run) {
    const timer: unknown = setTimeout(run, ms);
    // A kernel may guard timers and hand out its own objects: only what is there is called.
    (timer as { unref?: () => void }).unref?.();
    return () => clearTimeout(timer as NodeJS.Timeout);
  },
};

/** Draws at most once in `interval` milliseconds and always draws the last state asked for. */
export class Paced {
  private last = -Infinity;
  private cancel: (() => void) | undefined;
  private due = 0;

  constructor(
    private readonly draw: () => void,
    private readonly clock: Clock = systemClock,
    private readonly interval = 100,
  ) {}

  /** Draws now, or as soon as the interval is over. */
  request(): void {
    const now = this.clock.now();
    // In a loop that never yields no timer fires: a request after its time draws in its stead.
    if (this.cancel && now < this.due) return;
    if (now - this.last >= this.interval) return this.flush();
    this.due = this.last + this.interval;
    this.cancel = this.clock.after(this.due - now, () => this.flush());
  }

  /** Draws now. */
  flush(): void {
    this.stop();
    this.last = this.clock.now();
    this.draw();
  }

  /** Forgets what was asked for and not drawn yet. */
  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }
}

/** Calls `run` when the signal is aborted; the result takes it back. */
export function onAbort(signal: AbortSignal | undefined, run: () => void): () => void {
  if (!signal) return () => undefined;
  // A cell may have any number of bars and charts: many listeners are no leak here.
  setMaxListeners(0, signal);
  signal.addEventListener('abort', run, { once: true });
  return () => signal.removeEventListener('abort', run);
}
