/** Lines of progress for people: what runs, how far, how fast, how long still. At most one every two seconds. */
import type { Estimate, ExperimentEvent, TaskProgress } from '../../lib/papers/index.js';

const EVERY = 2000;

/** "1:05", "0:09", "1:02:03" */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** "rate0.004" in task names is for files; people read "rate 0.004". */
function readable(task: string): string {
  return task.replace(/-(rate|seed)/g, ', $1 ').replace(/-/g, ' ');
}

function speed(rate: number): string {
  return rate >= 1000 ? `${(rate / 1000).toFixed(1)}k` : String(Math.round(rate));
}

function taskLine(name: string, { step, steps, loss, tokensPerSecond, secondsLeft }: TaskProgress): string {
  const facts = [`${step}/${steps}`];
  if (loss !== undefined && Number.isFinite(loss)) facts.push(`loss ${loss.toFixed(3)}`);
  if (tokensPerSecond !== undefined) facts.push(`${speed(tokensPerSecond)} tokens/s`);
  if (secondsLeft !== undefined && Number.isFinite(secondsLeft)) facts.push(`${clock(secondsLeft)} left`);
  return `${readable(name)} ${facts.join(' · ')}`;
}

/** The estimate, a line per part. */
export function estimateLines({ parts, seconds }: Estimate, workers: number): string[] {
  const width = Math.max(...parts.map((part) => part.part.length));
  const at = workers > 1 ? `, ${workers} trainings at a time` : '';
  return [
    `Estimate: ${clock(seconds)} (minutes:seconds${at})`,
    ...parts.map((part) => `  ${part.part.padEnd(width)}  ${clock(part.seconds).padStart(6)}  ${part.about}`),
  ];
}

/** Turns events into lines. `now` is in milliseconds. */
export class ProgressPrinter {
  private estimate: Estimate | undefined;
  private last = -Infinity;
  private running = new Map<string, TaskProgress>();
  private done = 0;
  private tasks = 0;
  private finished: string[] = [];
  private partStarted = 0;

  constructor(
    private readonly print: (line: string) => void,
    private readonly workers: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  event(event: ExperimentEvent): void {
    switch (event.kind) {
      case 'estimate':
        this.estimate = event.estimate;
        for (const line of estimateLines(event.estimate, this.workers)) this.print(line);
        return;
      case 'part':
        this.tasks = event.tasks;
        this.done = 0;
        this.running.clear();
        this.partStarted = this.now();
        return;
      case 'progress':
        this.running.set(event.task.id, event.progress);
        this.show(event.part);
        return;
      case 'done': {
        this.done++;
        this.running.delete(event.task.id);
        const how = event.resumed ? 'done before' : clock(event.seconds);
        this.print(
          `${event.part} ${this.done}/${this.tasks}: ${readable(event.task.id)}${resultText(event.result)}, ${how}`,
        );
        return;
      }
      case 'finished':
        this.finished.push(event.part);
    }
  }

  /** Time left by the estimate: what is left of this part, and all parts after it. */
  private left(part: string): string {
    const parts = this.estimate?.parts ?? [];
    const at = parts.findIndex((entry) => entry.part === part);
    if (at < 0) return '';
    const gone = (this.now() - this.partStarted) / 1000;
    const later = parts.slice(at + 1).reduce((sum, entry) => sum + entry.seconds, 0);
    return ` · about ${clock(Math.max(0, parts[at].seconds - gone) + later)} in all left`;
  }

  private show(part: string): void {
    if (this.now() - this.last < EVERY) return;
    this.last = this.now();
    const lines = [...this.running].map(([name, progress]) => taskLine(name, progress));
    this.print(`${part} ${this.done}/${this.tasks}: ${lines.join(' | ')}${this.left(part)}`);
  }
}

/** The loss of a training result, if it is one. */
function resultText(result: unknown): string {
  const { reporting, diverged } = (result ?? {}) as { reporting?: number | null; diverged?: string };
  if (diverged) return ' diverged';
  return typeof reporting === 'number' ? ` ${reporting.toFixed(4)} bits per byte` : '';
}
