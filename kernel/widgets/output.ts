/** An area for outputs among widgets. */
import { Paced, systemClock, type Clock } from '../notebook/clock.js';
import { kernelHost, type Output } from '../notebook/host.js';
import { OutputList, type Item } from '../notebook/output-list.js';
import type { State } from './state.js';
import { BaseWidget, startOf, type WidgetOptions } from './widget.js';

/** An item as notebooks write it down. */
function saved(item: Item): State {
  if (item.kind === 'stream') return { output_type: 'stream', name: item.name, text: item.text };
  if (item.kind === 'display')
    return { output_type: 'display_data', data: item.data, metadata: item.metadata };
  const { ename, evalue, traceback } = item;
  return { output_type: 'error', ename, evalue, traceback };
}

/** Shows the outputs of code: `area.capture(() => console.log('here'))`. */
export class OutputArea extends BaseWidget {
  private list = new OutputList();
  private readonly pace: Paced;

  constructor(options: Omit<WidgetOptions, 'label' | 'disabled' | 'style'> = {}, clock: Clock = systemClock) {
    const [state, style] = startOf('Output');
    super({ ...state }, style, options);
    this.pace = new Paced(() => this.change({ outputs: this.list.items.map(saved) }), clock);
  }

  /** Adds one output. The page is told at most ten times a second. */
  append(output: Output): void {
    this.list.add(output);
    this.pace.request();
  }

  /** Replaces all that is shown. */
  replace(items: readonly Item[]): void {
    this.list = new OutputList();
    this.list.items = [...items];
    this.pace.flush();
  }

  clear(): void {
    this.replace([]);
  }

  /** Runs `body` with its outputs, also of its later timers and promises, shown here. */
  capture<T>(body: () => T): T {
    const host = kernelHost();
    if (!host) return body();
    return host.withSink((output) => this.append(output), body);
  }

  get text(): string {
    return this.list.items
      .map((item) => {
        if (item.kind === 'stream') return item.text.trimEnd();
        if (item.kind === 'error') return `${item.ename}: ${item.evalue}`;
        const plain = item.data['text/plain'];
        return typeof plain === 'string' ? plain : Object.keys(item.data).join(', ');
      })
      .join('\n');
  }
}

/** An empty area for outputs. */
export function output(options: Omit<WidgetOptions, 'label' | 'disabled' | 'style'> = {}): OutputArea {
  return new OutputArea(options);
}
