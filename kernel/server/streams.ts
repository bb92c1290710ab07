/** Stream text on its way out: what one execution writes to one stream in quick succession is one message. */

export interface StreamItem {
  readonly id: string;
  readonly name: 'stdout' | 'stderr';
  readonly text: string;
}

export interface StreamOptions {
  /** Called for every message, in order. */
  readonly send: (item: StreamItem) => void;
  /** Text waits this long for more. */
  readonly delayMs?: number;
  /** Characters of stream text one execution may put out. */
  readonly limit?: number;
}

const DELAY_MS = 30;
const LIMIT = 20 * 1024 * 1024;
/** A longer text goes out in pieces, which websockets and browsers take better. */
const PIECE = 1024 * 1024;
/** Waiting text is sent early when it is this much: memory stays small however fast a cell prints. */
const WAITING = 2 * 1024 * 1024;

interface Waiting {
  readonly id: string;
  readonly name: 'stdout' | 'stderr';
  readonly texts: string[];
}

/** Collects, limits and sends stream text. */
export class Streams {
  private readonly delayMs: number;
  private readonly limit: number;
  private waiting: Waiting[] = [];
  private chars = 0;
  private timer: NodeJS.Timeout | undefined;
  /** Characters so far by execution, those over the limit included. */
  private readonly counts = new Map<string, number>();

  constructor(private readonly options: StreamOptions) {
    this.delayMs = options.delayMs ?? DELAY_MS;
    this.limit = options.limit ?? LIMIT;
  }

  add(id: string, name: 'stdout' | 'stderr', text: string, lost = 0): void {
    const before = this.counts.get(id) ?? 0;
    this.counts.set(id, before + text.length + lost);
    const room = this.limit - before;
    if (room < 0) return;
    if (text.length <= room) return this.put(id, name, text);
    if (room > 0) this.put(id, name, wholeCharacters(text, room));
    this.put(id, 'stderr', this.note());
  }

  /** Sends what waits. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const waiting = this.waiting;
    this.waiting = [];
    this.chars = 0;
    for (const { id, name, texts } of waiting)
      for (const text of pieces(texts.join(''))) this.options.send({ id, name, text });
  }

  /** The execution ended: sends what waits and says how much the limit kept back. */
  finish(id: string): void {
    const lost = (this.counts.get(id) ?? 0) - this.limit;
    this.counts.delete(id);
    if (lost > 0) this.put(id, 'stderr', `Characters not shown: ${lost.toLocaleString('en')}.\n`);
    this.flush();
  }

  private put(id: string, name: 'stdout' | 'stderr', text: string): void {
    const last = this.waiting.at(-1);
    if (last?.id === id && last.name === name) last.texts.push(text);
    else this.waiting.push({ id, name, texts: [text] });
    this.chars += text.length;
    if (this.chars > WAITING) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), this.delayMs);
  }

  private note(): string {
    const mebibytes = (this.limit / (1024 * 1024)).toFixed(this.limit < 1024 * 1024 ? 2 : 0);
    return (
      `\nThe output of this cell is truncated here: it printed more than ${mebibytes} Mi characters. ` +
      `The cell runs on; write long output to a file.\n`
    );
  }
}

/** The first `length` units of a text, one less where that would cut a character in two. */
function wholeCharacters(text: string, length: number): string {
  const code = text.charCodeAt(length - 1);
  const cut = code >= 0xd800 && code <= 0xdbff && length < text.length;
  return text.slice(0, cut ? length - 1 : length);
}

function pieces(text: string): string[] {
  const found: string[] = [];
  let at = 0;
  while (text.length - at > PIECE) {
    const piece = wholeCharacters(text.slice(at, at + PIECE + 1), PIECE);
    found.push(piece);
    at += piece.length;
  }
  found.push(at === 0 ? text : text.slice(at));
  return found;
}
