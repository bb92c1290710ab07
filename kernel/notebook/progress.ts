/** How far a loop is: one line and a bar in the notebook, one line of text where nothing renders. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import { escapeHtml } from '../display/html.js';
import type { Bundle } from './bundle.js';
import { onAbort, Paced, systemClock, type Clock } from './clock.js';
import { Entry } from './display.js';
import { kernelHost, SHOWN } from './host.js';
import { progressLine, type ProgressState } from './progress-text.js';

export interface ProgressOptions {
  /** What is going on, in a word or two. */
  label?: string;
  /** Number of steps, where the iterable does not tell it. */
  total?: number;
  clock?: Clock;
}

function needTotal(total: number | undefined): number | undefined {
  if (total !== undefined && !(total >= 0 && Number.isFinite(total)))
    throw new ArgumentError(`progress: total must be a number from 0, got ${show(total)}`);
  return total;
}

/** A bar that is moved by hand: `update()` after each step, `close()` at the end. */
export class Progress {
  readonly [SHOWN] = true;
  private count = 0;
  private end: ProgressState['end'];
  private readonly total: number | undefined;
  private readonly clock: Clock;
  private readonly start: number;
  private readonly entry: Entry;
  private readonly pace: Paced;
  private name: string;
  private readonly unlisten: () => void;
  private readonly signal: AbortSignal | undefined;

  constructor(options: ProgressOptions = {}) {
    this.total = needTotal(options.total);
    this.name = options.label ?? '';
    this.clock = options.clock ?? systemClock;
    this.start = this.clock.now();
    this.entry = new Entry({ clock: this.clock });
    this.pace = new Paced(() => this.draw(), this.clock);
    this.signal = kernelHost()?.cell()?.signal;
    this.unlisten = onAbort(this.signal, () => this.finish('interrupted'));
    if (this.live) this.pace.flush();
  }

  /** Steps done so far. */
  get done(): number {
    return this.count;
  }

  get label(): string {
    return this.name;
  }
  /** Says what is going on now, such as the loss of the last step. */
  set label(label: string) {
    this.name = label;
    this.changed();
  }

  /** Counts `steps` more steps as done. */
  update(steps = 1): void {
    this.set(this.count + steps);
  }

  /** Says how many steps are done. */
  set(done: number): void {
    if (!Number.isFinite(done) || done < 0)
      throw new ArgumentError(`progress: number of steps must be a number from 0, got ${show(done)}`);
    this.count = done;
    this.changed();
  }

  /** Ends the bar; short of its total it says where it stopped. */
  close(): void {
    this.finish(this.total === undefined || this.count >= this.total ? 'done' : 'stopped');
  }

  /** Ends the bar of a loop that was left before its end. */
  stop(): void {
    this.finish(this.signal?.aborted ? 'interrupted' : 'stopped');
  }

  private finish(end: NonNullable<ProgressState['end']>): void {
    if (this.end) return;
    this.end = end;
    this.unlisten();
    this.pace.flush();
  }

  /** Does somebody look on? Where nothing renders only the end is shown. */
  private get live(): boolean {
    return kernelHost()?.headless === false;
  }

  private changed(): void {
    if (!this.end && this.live) this.pace.request();
  }

  private draw(): void {
    this.entry.show(this.bundle());
  }

  private bundle(): Bundle {
    const { name: label, count: done, total, end } = this;
    const state = { label, done, total, end, elapsed: this.clock.now() - this.start };
    const line = progressLine(state);
    const data: Record<string, unknown> = { 'text/plain': line };
    if (this.live) data['text/html'] = barHtml(state, line);
    return { data, metadata: {} };
  }
}

/** A browser's own bar: it has a role and a value for a screen reader and follows the page's colours. */
function barHtml(state: ProgressState, line: string): string {
  const { done, total, end, label } = state;
  const value =
    total === undefined
      ? end
        ? 'value="1" max="1"'
        : ''
      : `value="${Math.min(done, total)}" max="${total || 1}"`;
  const colour = end === 'stopped' || end === 'interrupted' ? '#d55e00' : '#0072b2';
  return (
    `<div><progress ${value} aria-label="${escapeHtml(label || 'progress')}" ` +
    `style="width:14em;max-width:40%;vertical-align:middle;accent-color:${colour}"></progress> ` +
    `<span style="font-variant-numeric:tabular-nums">${escapeHtml(line)}</span></div>`
  );
}

/** A bar that moves with a loop. */
export interface ProgressLoop<T> extends Progress, Iterable<T> {}
export interface AsyncProgressLoop<T> extends Progress, AsyncIterable<T> {}

/** Left early, by break, return, an error or an interrupt, a loop ends its iterator: `finally` then says where. */
function* walk<T>(source: Iterable<T>, bar: Progress): Generator<T> {
  let whole = false;
  try {
    for (const item of source) {
      yield item;
      bar.update();
    }
    whole = true;
  } finally {
    if (whole) bar.close();
    else bar.stop();
  }
}

async function* walkAsync<T>(source: AsyncIterable<T>, bar: Progress): AsyncGenerator<T> {
  let whole = false;
  try {
    for await (const item of source) {
      yield item;
      bar.update();
    }
    whole = true;
  } finally {
    if (whole) bar.close();
    else bar.stop();
  }
}

function* upTo(total: number): Generator<number> {
  for (let i = 0; i < total; i++) yield i;
}

function sizeOf(source: object): number | undefined {
  const { length, size } = source as { length?: unknown; size?: unknown };
  if (typeof length === 'number') return length;
  return typeof size === 'number' ? size : undefined;
}

const has = (source: unknown, key: symbol): boolean =>
  (typeof source === 'object' || typeof source === 'string') && source !== null && key in Object(source);

/**
 * Shows how far a loop is: `for (const x of progress(xs))`, `for await (const x of progress(stream))`,
 * `for (const i of progress(1000))`, or by hand `const bar = progress(1000); bar.update(); bar.close()`. Drawn at
 * most ten times a second; the last state stays.
 */
export function progress(total?: number, options?: ProgressOptions): ProgressLoop<number>;
export function progress<T>(iterable: Iterable<T>, options?: ProgressOptions): ProgressLoop<T>;
export function progress<T>(iterable: AsyncIterable<T>, options?: ProgressOptions): AsyncProgressLoop<T>;
export function progress<T>(
  over?: number | Iterable<T> | AsyncIterable<T>,
  options: ProgressOptions = {},
): ProgressLoop<T | number> | AsyncProgressLoop<T> {
  if (over === undefined || typeof over === 'number') {
    const bar = new Progress({ ...options, total: needTotal(over) ?? options.total });
    return withIterator(bar, Symbol.iterator, () => walk(upTo(over ?? options.total ?? Infinity), bar));
  }
  if (has(over, Symbol.asyncIterator)) {
    const bar = new Progress({ ...options, total: options.total ?? sizeOf(over) });
    return withIterator(bar, Symbol.asyncIterator, () => walkAsync(over as AsyncIterable<T>, bar));
  }
  if (!has(over, Symbol.iterator))
    throw new ArgumentError(
      `progress: its argument must be a number or something to loop over, got ${show(over)}`,
    );
  const bar = new Progress({ ...options, total: options.total ?? sizeOf(over) });
  return withIterator(bar, Symbol.iterator, () => walk(over as Iterable<T>, bar));
}

function withIterator<R>(bar: Progress, key: symbol, make: () => unknown): R {
  Object.defineProperty(bar, key, { value: make });
  return bar as R;
}
