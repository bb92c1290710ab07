/** The outputs of some code as a list that stays what a reader would see: merged text, updated displays. */
import type { MimeBundle, Metadata } from '../threads/messages.js';
import type { Output } from './host.js';

export type Item =
  | { kind: 'stream'; name: 'stdout' | 'stderr'; text: string }
  | { kind: 'display'; data: MimeBundle; metadata: Metadata; displayId?: string }
  | { kind: 'error'; ename: string; evalue: string; traceback: string[] };

export class OutputList {
  items: Item[] = [];
  private clearWithNext = false;

  add(output: Output): void {
    if (output.kind === 'clear') {
      if (output.wait) this.clearWithNext = true;
      else this.items = [];
      return;
    }
    if (output.kind === 'display' && output.update) return this.update(output);
    if (this.clearWithNext) this.items = [];
    this.clearWithNext = false;
    if (output.kind === 'stream') this.print(output.name, output.text);
    else this.items.push(output);
  }

  private print(name: 'stdout' | 'stderr', text: string): void {
    const last = this.items.at(-1);
    if (last?.kind === 'stream' && last.name === name)
      this.items[this.items.length - 1] = { ...last, text: withReturns(last.text + text) };
    else this.items.push({ kind: 'stream', name, text: withReturns(text) });
  }

  private update(output: Extract<Output, { kind: 'display' }>): void {
    const { data, metadata, displayId } = output;
    this.items = this.items.map((item) =>
      item.kind === 'display' && item.displayId !== undefined && item.displayId === displayId
        ? { ...item, data, metadata }
        : item,
    );
  }
}

/** Text as a terminal leaves it: what follows a carriage return writes over the line so far. */
export function withReturns(text: string): string {
  if (!text.includes('\r')) return text;
  return text
    .replace(/\r+\n/g, '\n')
    .split('\n')
    .map((line) => {
      const ends = line.endsWith('\r') ? '\r' : '';
      const parts = (ends ? line.slice(0, -1) : line).split('\r');
      // A shorter text leaves the rest of the longer one standing.
      return parts.reduce((shown, part) => part + shown.slice(part.length)) + ends;
    })
    .join('\n');
}
