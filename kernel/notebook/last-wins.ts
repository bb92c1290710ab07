/** Work that a control asks for again and again: one run at a time, the last value always, not too many runs. */
import { AsyncResource } from 'node:async_hooks';
import { onAbort, systemClock, type Clock } from './clock.js';

export interface LastWinsOptions {
  /** Least milliseconds between the starts of two runs. */
  interval?: number;
  clock?: Clock;
}

/** A change after this pause begins a new burst. */
const PAUSE = 500;
/** In a burst the pause between runs grows with its age: about 27 runs in ten seconds, the first ones quick. */
const GROWTH = 1 / 7;

/** A value that waits, and the asynchronous context of the code that asked for it. */
interface Asked<T> {
  readonly value: T;
  readonly here: AsyncResource;
}

export class LastWins<T> {
  private next: Asked<T> | undefined;
  private running = false;
  private stopped = false;
  private timer: (() => void) | undefined;
  private waiters: (() => void)[] = [];
  private began = -Infinity;
  private offered = -Infinity;
  private launched = -Infinity;
  private readonly clock: Clock;
  private readonly interval: number;

  constructor(
    private readonly run: (value: T) => Promise<void>,
    options: LastWinsOptions = {},
  ) {
    this.clock = options.clock ?? systemClock;
    this.interval = options.interval ?? 100;
  }

  /**
   * Asks for a run with `value`. Settles when a run with it or with a later value has ended. When `signal` is
   * aborted while the value waits, it is dropped: the timers of an interrupted cell never fire.
   */
  offer(value: T, signal?: AbortSignal): Promise<void> {
    if (this.stopped) return Promise.resolve();
    const now = this.clock.now();
    if (now - this.offered > PAUSE && !this.running) this.began = now;
    this.offered = now;
    const asked = { value, here: new AsyncResource('assay:last-wins') };
    this.next = asked;
    const forget = onAbort(signal, () => {
      if (this.next === asked) this.abandon();
    });
    const done = new Promise<void>((resolve) => this.waiters.push(resolve)).finally(forget);
    this.pump();
    return done;
  }

  /** Refuses further runs; what runs is left to end. */
  stop(): void {
    this.stopped = true;
    this.abandon();
  }

  /** Runs the waiting value, now or when its time has come, as part of the code that asked for it. */
  private pump(): void {
    this.timer?.();
    this.timer = undefined;
    const next = this.next;
    if (this.running || !next) return;
    const now = this.clock.now();
    const pause = Math.max(this.interval, (now - this.began) * GROWTH);
    const wait = this.launched + pause - now;
    next.here.runInAsyncScope(() => {
      if (wait <= 0) this.launch(next);
      else
        this.timer = this.clock.after(wait, () => {
          this.timer = undefined;
          if (this.next === next) this.launch(next);
        });
    });
  }

  private launch(next: Asked<T>): void {
    this.next = undefined;
    this.running = true;
    this.launched = this.clock.now();
    const waiters = this.waiters;
    this.waiters = [];
    const end = (): void => {
      this.running = false;
      for (const resolve of waiters) resolve();
      this.pump();
    };
    void this.run(next.value).then(end, end);
  }

  private abandon(): void {
    this.next = undefined;
    this.timer?.();
    this.timer = undefined;
    for (const resolve of this.waiters) resolve();
    this.waiters = [];
  }
}
