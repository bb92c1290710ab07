/** Edits of a text that keep its lines, and the record of them. */
import { blank } from './parse.js';

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Collected replacements of one text. No replacement may hold or span a line end: lines never move. */
export class Edits {
  private readonly list: Edit[] = [];

  constructor(readonly base: string) {}

  insert(at: number, text: string): void {
    this.list.push({ start: at, end: at, text });
  }

  replace(start: number, end: number, text: string): void {
    this.list.push({ start, end, text });
  }

  /** Blanks out, keeping line ends. */
  erase(start: number, end: number): void {
    if (end > start) this.replace(start, end, blank(this.base.slice(start, end)));
  }

  /** Puts `text` on the first line of the range; its later lines become blank. */
  replaceLines(start: number, end: number, text: string): void {
    const length = this.base.slice(start, end).search(/[\r\n\u2028\u2029]/);
    const first = length < 0 ? end : start + length;
    this.replace(start, first, text);
    this.erase(first, end);
  }

  private sorted(): Edit[] {
    // Stable: what was put in first stands first; insertions stand before a replacement at the same place.
    return [...this.list].sort((a, b) => a.start - b.start || a.end - a.start - (b.end - b.start));
  }

  /** How columns move: (line, column) of the base, from 0, to the column in the edited text. */
  columnShifts(): (line: number, column: number) => number {
    const starts = [0];
    for (let at = 0; at < this.base.length; at++) if (this.base[at] === '\n') starts.push(at + 1);
    const edits = this.sorted();
    return (line, column) => {
      let moved = column;
      for (const { start, end, text } of edits)
        if (start >= starts[line] && start <= starts[line] + column) moved += text.length - (end - start);
      return moved;
    };
  }

  /** The edited text and the record of edits that moved columns: [offset after, put in, taken out]. */
  apply(): { text: string; edits: [number, number, number][] } {
    const edits: [number, number, number][] = [];
    let text = '';
    let at = 0;
    for (const edit of this.sorted()) {
      text += this.base.slice(at, edit.start);
      if (edit.text.length !== edit.end - edit.start)
        edits.push([text.length, edit.text.length, edit.end - edit.start]);
      text += edit.text;
      at = edit.end;
    }
    return { text: text + this.base.slice(at), edits };
  }
}
