/** A function with controls: whenever the reader moves one, it is called and its result shown in place. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import { label, output, vbox, type Box, type Widget } from '../widgets/index.js';
import { onPageReturn } from '../widgets/registry.js';
import { onAbort, Paced, systemClock, type Clock } from './clock.js';
import { alignLabels, widgetOf, type Controls, type Values } from './controls.js';
import { display } from './display.js';
import { kernelHost, SHOWN, type KernelHost } from './host.js';
import { LastWins } from './last-wins.js';
import { OutputList } from './output-list.js';
import { senderOfThisCell } from './own-cell.js';
import { ResultArea } from './result-area.js';

export interface InteractOptions {
  /** Least milliseconds between two calls while a control moves (100). */
  interval?: number;
  clock?: Clock;
}

/** What the function gets beside the values. */
export interface InteractContext {
  /** Aborted when the call is interrupted or the interaction stopped; pass it to whatever takes one. */
  readonly signal: AbortSignal;
}

type Call<V> = (values: V, context: InteractContext) => unknown;

/** Milliseconds without a call after which a static picture becomes movable again. */
const REST = 600;

/** A running interaction. */
export class Interaction<V extends object> {
  readonly [SHOWN] = true;
  /** Settles when the first result is shown. */
  readonly ready: Promise<void>;
  private readonly made: Widget<unknown>[] = [];
  private readonly ends: (() => void)[] = [];
  private readonly controller = new AbortController();

  constructor(
    private readonly fn: Call<V>,
    /** The controls by name. */
    readonly controls: { readonly [K in keyof V]: Widget<V[K]> },
    made: readonly Widget<unknown>[],
    options: InteractOptions,
  ) {
    this.made.push(...made);
    const host = kernelHost();
    this.ready = host && !host.headless ? this.start(host, options) : this.once();
    host?.hold?.(this.ready);
  }

  /** What the controls stand at. */
  get values(): V {
    const entries = Object.entries<Widget<unknown>>(this.controls);
    return Object.fromEntries(entries.map(([name, widget]) => [name, widget.value])) as V;
  }

  /** Ends it: the last result stays, controls made for it are switched off. */
  stop(): void {
    if (this.controller.signal.aborted) return;
    this.controller.abort();
    for (const end of this.ends) end();
    for (const widget of this.made) widget.set({ disabled: true });
  }

  /** Where nobody can move a control: one result, for the values they stand at. */
  private async once(): Promise<void> {
    const host = kernelHost();
    const box = vbox(Object.values<Widget<unknown>>(this.controls));
    if (host) display.text(box.text);
    const value = await this.fn(this.values, { signal: this.controller.signal });
    if (value !== undefined && !isShown(value)) await display(value).shown;
  }

  private start(host: KernelHost, { interval, clock = systemClock }: InteractOptions): Promise<void> {
    const widgets = Object.values<Widget<unknown>>(this.controls);
    const box = vbox(widgets);
    host.output({ kind: 'display', data: box.bundle(), metadata: {} });
    const area = new ResultArea({ send: senderOfThisCell(), rest: REST, clock });
    const runner = new LastWins<V>((values) => this.call(host, area, values, clock), { interval, clock });
    const offer = (): Promise<void> => runner.offer(this.values, host.cell()?.signal);
    // The handler's promise keeps the message alive while the function works: so an interrupt finds it, and the
    // page sends its next value when this one is shown.
    this.ends.push(...widgets.map((widget) => widget.onChange(offer)));
    this.ends.push(onPageReturn(() => this.pageReturned(box, area)));
    this.ends.push(
      () => runner.stop(),
      () => area.settle(),
    );
    this.ends.push(onAbort(host.cell()?.signal, () => this.stop()));
    return offer();
  }

  private async call(host: KernelHost, area: ResultArea, values: V, clock: Clock): Promise<void> {
    // Called as what it is, no method: stacks then name it as the author did.
    const { fn } = this;
    const list = new OutputList();
    let whole = false;
    const pace = new Paced(() => area.show(list.items, whole), clock);
    const own = host.cell()?.signal;
    const signals = [this.controller.signal, ...(own ? [own] : [])];
    const signal = AbortSignal.any(signals);
    try {
      const value = await untilAborted(signal, () =>
        host.withSink(
          (sent) => {
            list.add(sent);
            pace.request();
          },
          () => fn(values, { signal }),
        ),
      );
      if (value !== undefined && !isShown(value))
        list.add({ kind: 'display', ...(await untilAborted(signal, () => host.format(value))) });
    } catch (error) {
      if (signal.aborted) list.add({ kind: 'stream', name: 'stderr', text: 'interrupted\n' });
      else list.add({ kind: 'error', ...host.formatError(error) });
    }
    whole = true;
    pace.flush();
  }

  /** The page was opened anew and gets its widgets back, but cannot change the outputs it saved. */
  private pageReturned(box: Box, area: ResultArea): void {
    const here = output();
    box.children = [
      ...Object.values<Widget<unknown>>(this.controls),
      label('The page was opened again: results appear here, the output below stays as it was.'),
      here,
    ];
    area.mirrorTo(here);
  }
}

function isShown(value: unknown): boolean {
  return (value as { [SHOWN]?: unknown } | null | undefined)?.[SHOWN] === true;
}

/** The work's result, or an error as soon as the signal is aborted: interrupted work may never settle. */
async function untilAborted<T>(signal: AbortSignal, work: () => T): Promise<Awaited<T>> {
  let forget: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    const end = (): void => reject(new Error('interrupted'));
    if (signal.aborted) end();
    forget = onAbort(signal, end);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    forget();
    aborted.catch(() => undefined);
  }
}

/**
 * Shows controls and the result of `fn` for their values, again whenever one is moved:
 * `interact(({ n, form }) => draw(n, form), { n: [1, 64], form: ['chunk', 'scan'] })`. `fn` may be async. While a
 * call runs only the last values wait for the next; text it prints and errors appear with the result.
 */
export function interact<const C extends Controls>(
  fn: (values: Values<C>, context: InteractContext) => unknown,
  controls: C,
  options: InteractOptions = {},
): Interaction<Values<C>> {
  if (typeof fn !== 'function')
    throw new ArgumentError(`interact: its first argument must be a function, got ${show(fn)}`);
  const built = Object.entries(controls).map(([name, control]) => ({ name, ...widgetOf(name, control) }));
  if (built.length === 0) throw new ArgumentError('interact: controls must name at least one, got none');
  const widgets = Object.fromEntries(built.map(({ name, widget }) => [name, widget]));
  const made = built.filter((one) => one.made).map(({ widget }) => widget);
  alignLabels(made);
  return new Interaction<Values<C>>(
    fn,
    widgets as unknown as { [K in keyof Values<C>]: Widget<Values<C>[K]> },
    made,
    options,
  );
}
