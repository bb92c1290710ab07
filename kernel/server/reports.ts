/** What the person who looks at the kernel's terminal should know; a flood of it is cut short. */

import { writeSync } from 'node:fs';

const WINDOW_MS = 10_000;
const MOST = 20;

/** To the process's stderr without the main thread, which a worker's own `process.stderr` goes through. */
export function report(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // Nobody listens, or the pipe is full.
  }
}

/** Writes lines to stderr, at most twenty in ten seconds. */
export class Reports {
  private since = 0;
  private count = 0;
  private dropped = 0;

  constructor(private readonly out: (text: string) => void = report) {}

  write(text: string): void {
    const now = Date.now();
    if (now - this.since > WINDOW_MS) {
      if (this.dropped > 0) this.out(`kernel: ${this.dropped} more such lines were left out\n`);
      this.since = now;
      this.count = 0;
      this.dropped = 0;
    }
    if (++this.count > MOST) this.dropped++;
    else this.out(`${text.slice(0, 1000)}\n`);
  }
}
