/** The serial queue of one shell (the main one or a subshell). */

export interface Task {
  readonly run: () => Promise<void>;
  /** Present on execute requests: answers `aborted` instead of running. */
  readonly abort?: () => void;
}

/** Runs tasks one after the other. */
export class ShellQueue {
  /** When the last task came (performance.now). */
  lastPush = 0;
  private readonly tasks: Task[] = [];
  private running = false;

  constructor(private readonly failed: (error: unknown) => void) {}

  push(task: Task): void {
    this.tasks.push(task);
    this.lastPush = performance.now();
    if (!this.running) void this.work();
  }

  /** Takes every waiting execute request out and aborts it; other requests stay. */
  abortWaiting(): void {
    const waiting = this.tasks.splice(0);
    for (const task of waiting)
      if (task.abort) task.abort();
      else this.tasks.push(task);
  }

  private async work(): Promise<void> {
    this.running = true;
    for (let task = this.tasks.shift(); task; task = this.tasks.shift())
      try {
        await task.run();
      } catch (error) {
        this.failed(error);
      }
    this.running = false;
  }
}
