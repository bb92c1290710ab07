/** Outputs of a function that is called again and again: the same places below the cell, with new content. */
import { isDeepStrictEqual } from 'node:util';
import type { OutputArea } from '../widgets/index.js';
import { bundleOf, EMPTY, STDERR, type Bundle } from './bundle.js';
import { Entry, type EntryOptions } from './display.js';
import type { Item } from './output-list.js';

/** An item as an entry shows it. Front ends colour text/plain, so tracebacks keep their colours. */
export function itemBundle(item: Item): Bundle {
  if (item.kind === 'display') return { data: item.data, metadata: item.metadata };
  if (item.kind === 'error') {
    const lines = item.traceback.length > 0 ? item.traceback : [`${item.ename}: ${item.evalue}`];
    return bundleOf('text/plain', lines.join('\n'));
  }
  const text = item.text.replace(/\n$/, '');
  return item.name === 'stdout'
    ? bundleOf('text/plain', text)
    : { data: { [STDERR]: text, 'text/plain': text }, metadata: {} };
}

interface Place {
  readonly entry: Entry;
  asked: Bundle;
}

export class ResultArea {
  private readonly places: Place[] = [];
  private mirror: OutputArea | undefined;
  private items: readonly Item[] = [];

  constructor(private readonly options: EntryOptions) {}

  /** Shows the items; unless `whole`, places behind them keep what they show: more may come. */
  show(items: readonly Item[], whole: boolean): void {
    this.items = items;
    for (const [i, item] of items.entries()) this.place(i, itemBundle(item));
    if (!whole) return;
    for (let i = items.length; i < this.places.length; i++) this.place(i, EMPTY);
    this.mirror?.replace(items);
  }

  /** Shows the outputs in a widget as well: a page that was opened anew cannot change the old outputs. */
  mirrorTo(area: OutputArea): void {
    this.mirror = area;
    area.replace(this.items);
  }

  /** Brings static pictures into their movable form now. */
  settle(): void {
    for (const { entry } of this.places) entry.settle();
  }

  private place(i: number, bundle: Bundle): void {
    const place = this.places[i];
    if (place && isDeepStrictEqual(place.asked, bundle)) return;
    if (place) place.asked = bundle;
    else this.places[i] = { entry: new Entry(this.options), asked: bundle };
    this.places[i].entry.show(bundle);
  }
}
