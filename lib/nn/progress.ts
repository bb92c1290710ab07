/** Progress of long work: rate-limited reports with speed and time left, and pauses for the event loop. */

/** One report of a training run. */
export interface TrainingProgress {
  step: number;
  steps: number;
  /** Last known loss in nats per token. */
  loss: number;
  learningRate: number;
  /** Global norm of the gradients before clipping. */
  gradientNorm: number;
  tokensPerSecond: number;
  secondsLeft: number;
  /** Last evaluation, if any. */
  evaluation?: { step: number; value: number };
}

/** Time spent on steps: pauses for evaluation and saving are left out of the speed. */
export class Stopwatch {
  #running = 0;
  #since: number | undefined;
  steps = 0;
  tokens = 0;

  start(): void {
    this.#since ??= performance.now();
  }

  stop(): void {
    if (this.#since !== undefined) this.#running += performance.now() - this.#since;
    this.#since = undefined;
  }

  /** Does not count the time of `work`. */
  async paused<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#since !== undefined;
    this.stop();
    try {
      return await work();
    } finally {
      if (running) this.start();
    }
  }

  get seconds(): number {
    return (this.#running + (this.#since === undefined ? 0 : performance.now() - this.#since)) / 1000;
  }

  get tokensPerSecond(): number {
    return this.seconds > 0 ? this.tokens / this.seconds : 0;
  }

  secondsFor(steps: number): number {
    return this.steps > 0 ? (this.seconds / this.steps) * steps : NaN;
  }
}

/** Calls `report` at most once per `milliseconds`, except when told that this report matters. */
export function rateLimited<T>(
  report: ((value: T) => void) | undefined,
  milliseconds: number,
): (make: () => T, now?: boolean) => void {
  let last = -Infinity;
  return (make, now = false) => {
    if (!report) return;
    const time = performance.now();
    if (!now && time - last < milliseconds) return;
    last = time;
    report(make());
  };
}

/** Resolves after pending timers, signals and messages have had their turn. */
export function yieldToEvents(): Promise<void> {
  const host = globalThis as { setImmediate?: (run: () => void) => unknown };
  if (host.setImmediate) return new Promise((resolve) => void host.setImmediate!(resolve));
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });
}
