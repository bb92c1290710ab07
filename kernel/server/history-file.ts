/**
 * The history on disk: JSON lines that several kernels append to at once. Sessions are numbered by the order in
 * which they first appear, so kernels need not agree on a number before they write. The file is bounded by
 * moving it aside when it is large: one older file is kept beside it.
 */
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** One executed cell. */
export interface Entry {
  readonly session: number;
  readonly line: number;
  readonly input: string;
  output: string | null;
}

/** A line of the file: a cell's input, its output, or the number a session keeps after older ones are gone. */
export interface Row {
  readonly session: string;
  readonly line?: number;
  readonly input?: string;
  readonly output?: string;
  readonly number?: number;
}

const MAX_BYTES = 4 * 1024 * 1024;
/** A lock this old belongs to a kernel that died holding it. */
const STALE_MS = 10_000;

/** Appends rows and reads them all. */
export class HistoryFile {
  private made = false;

  constructor(
    readonly file: string,
    private readonly maxBytes = MAX_BYTES,
  ) {}

  /** Throws when the file cannot be written. */
  append(...rows: Row[]): void {
    if (!this.made) mkdirSync(dirname(this.file), { recursive: true });
    this.made = true;
    // All in one write: appends of several processes do not mix.
    appendFileSync(this.file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''), { mode: 0o600 });
  }

  /** Entries of the older file and of this one, in order, and the number of each session. */
  read(): { entries: Entry[]; sessions: Map<string, number> } {
    const rows = [...rowsOf(this.older), ...rowsOf(this.file)];
    const sessions = new Map<string, number>();
    for (const { session, number } of rows) if (number !== undefined) sessions.set(session, number);
    let next = Math.max(0, ...sessions.values());
    const entries: Entry[] = [];
    const places = new Map<string, Entry>();
    for (const { session: key, line, input, output } of rows) {
      if (line === undefined) continue;
      if (!sessions.has(key)) sessions.set(key, ++next);
      const session = sessions.get(key)!;
      const entry = places.get(`${session} ${line}`);
      if (input !== undefined) {
        const made: Entry = { session, line, input, output: null };
        places.set(`${session} ${line}`, made);
        entries.push(made);
      } else if (entry && output !== undefined) entry.output = output;
    }
    return { entries, sessions };
  }

  /** Moves a large file aside. What another kernel writes meanwhile lands in the one or the other. */
  rotate(): void {
    if (!this.isLarge() || !this.lock()) return;
    try {
      if (!this.isLarge()) return;
      const { sessions } = this.read();
      const here = new Set(rowsOf(this.file).map(({ session }) => session));
      const numbers = [...sessions].filter(([session]) => here.has(session));
      this.append(...numbers.map(([session, number]) => ({ session, number })));
      renameSync(this.file, this.older);
    } finally {
      rmSync(this.lockFile, { force: true });
    }
  }

  private get older(): string {
    return this.file.replace(/(\.jsonl)?$/, '.1$1');
  }

  private get lockFile(): string {
    return `${this.file}.lock`;
  }

  private isLarge(): boolean {
    return (statSync(this.file, { throwIfNoEntry: false })?.size ?? 0) > this.maxBytes;
  }

  private lock(): boolean {
    try {
      const held = statSync(this.lockFile, { throwIfNoEntry: false });
      if (held && Date.now() - held.mtimeMs > STALE_MS) rmSync(this.lockFile, { force: true });
      closeSync(openSync(this.lockFile, 'wx'));
      return true;
    } catch {
      return false;
    }
  }
}

/** The rows of a file; lines that are none (cut off, damaged, of another program) are ignored. */
function rowsOf(file: string): Row[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      const row = JSON.parse(line) as Row;
      return isRow(row) ? [row] : [];
    } catch {
      return [];
    }
  });
}

function isRow(row: Row | null): boolean {
  const whole = (value: unknown) => value === undefined || Number.isSafeInteger(value);
  const text = (value: unknown) => value === undefined || typeof value === 'string';
  if (typeof row?.session !== 'string' || !whole(row.line) || !whole(row.number)) return false;
  return text(row.input) && text(row.output);
}
