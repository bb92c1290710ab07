/** History requests: what was executed in this session and in earlier ones, by tail, range and search. */
import { randomUUID } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BadRequest, flagOf, integerOf, textOf } from './content.js';
import { HistoryFile, type Entry } from './history-file.js';
import type { JsonObject } from './wire.js';

/** Longer inputs and outputs are remembered in this session but not written. */
const MAX_INPUT = 256 * 1024;
const MAX_OUTPUT = 16 * 1024;

/** Where the history is kept, best first; ASSAY_HISTORY names another file, or "off". */
export function historyFiles(root: string, env: NodeJS.ProcessEnv = process.env): string[] {
  if (env.ASSAY_HISTORY === 'off') return [];
  if (env.ASSAY_HISTORY) return [env.ASSAY_HISTORY];
  return [join(root, '.assay', 'history.jsonl'), join(userData(env), 'assay', 'history.jsonl')];
}

function userData(env: NodeJS.ProcessEnv): string {
  if (process.platform === 'win32') return env.APPDATA ?? join(homedir(), 'AppData', 'Roaming');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support');
  return env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share');
}

/** The history of one session on top of the file's. */
export class History {
  private readonly key = randomUUID();
  private readonly own: Entry[] = [];
  private readonly files: HistoryFile[];
  private rotated = false;

  constructor(files: readonly string[], maxBytes?: number) {
    this.files = files.map((file) => new HistoryFile(file, maxBytes));
  }

  input(line: number, input: string): void {
    this.own.push({ session: 0, line, input, output: null });
    if (input.length <= MAX_INPUT) this.write({ line, input });
  }

  output(line: number, output: string): void {
    const entry = this.own.filter((own) => own.line === line).at(-1);
    if (entry) entry.output = output;
    if (output.length <= MAX_OUTPUT) this.write({ line, output });
  }

  /** Content of history_reply. */
  answer(content: JsonObject): JsonObject {
    const type = textOf(content, 'hist_access_type', 'tail');
    const output = flagOf(content, 'output', false);
    // Cells are kept as they were written, so raw and transformed input are the same.
    flagOf(content, 'raw', true);
    const entries = this.find(type, content);
    const row = ({ session, line, input, output: result }: Entry) =>
      output ? [session, line, [input, result]] : [session, line, input];
    return { status: 'ok', history: entries.map(row) };
  }

  private find(type: string, content: JsonObject): Entry[] {
    const { entries, session } = this.all();
    if (type === 'tail') return lastOf(entries, integerOf(content, 'n', 10));
    if (type === 'range') return inRange(entries, session, content);
    if (type === 'search') return search(entries, content);
    throw new BadRequest(
      `history_request: hist_access_type must be tail, range or search, got ${JSON.stringify(type)}`,
    );
  }

  /** Everything in order, this session last as it is in memory. */
  private all(): { entries: Entry[]; session: number } {
    const { entries, sessions } = this.files[0]?.read() ?? {
      entries: [],
      sessions: new Map<string, number>(),
    };
    const session = sessions.get(this.key) ?? Math.max(0, ...sessions.values()) + 1;
    const earlier = entries.filter((entry) => entry.session !== session);
    return { entries: [...earlier, ...this.own.map((own) => ({ ...own, session }))], session };
  }

  /** A file that cannot be written is given up for the next best; history is no reason to fail a cell. */
  private write(row: { line: number; input?: string; output?: string }): void {
    while (this.files.length > 0)
      try {
        if (!this.rotated) this.files[0].rotate();
        this.rotated = true;
        this.files[0].append({ session: this.key, ...row });
        return;
      } catch {
        this.files.shift();
        this.rotated = false;
      }
  }
}

function lastOf(entries: Entry[], n: number): Entry[] {
  return n > 0 ? entries.slice(-n) : [];
}

/** Session 0 is this one, negative ones count back from it; lines from start up to, not including, stop. */
function inRange(entries: Entry[], current: number, content: JsonObject): Entry[] {
  const asked = integerOf(content, 'session', 0);
  const session = asked > 0 ? asked : current + asked;
  const start = integerOf(content, 'start', 1);
  const stop = integerOf(content, 'stop', Number.MAX_SAFE_INTEGER);
  return entries.filter((entry) => entry.session === session && entry.line >= start && entry.line < stop);
}

function search(entries: Entry[], content: JsonObject): Entry[] {
  const matches = glob(textOf(content, 'pattern', '*'));
  let found = entries.filter(({ input }) => matches(input));
  if (flagOf(content, 'unique', false)) {
    const last = new Map(found.map((entry) => [entry.input, entry]));
    found = found.filter((entry) => last.get(entry.input) === entry);
  }
  return content.n === undefined || content.n === null ? found : lastOf(found, integerOf(content, 'n'));
}

/**
 * A pattern with `*` and `?` (and `[...]`) for the whole input. Stepping back only to the last star keeps the
 * time at pattern times text, where a regular expression could take for ever.
 */
export function glob(pattern: string): (text: string) => boolean {
  const tokens = [...pattern.matchAll(/\*|\?|\[!?\]?[^\]]*\]|[^]/gu)].map(([token]) => token);
  const tests = tokens.map(tokenTest);
  return (text) => {
    const points = [...text];
    let [at, p, star, mark] = [0, 0, -1, 0];
    while (at < points.length) {
      if (tokens[p] === '*') [star, mark] = [p++, at];
      else if (p < tokens.length && tests[p](points[at])) [p, at] = [p + 1, at + 1];
      else if (star >= 0) [p, at] = [star + 1, ++mark];
      else return false;
    }
    while (tokens[p] === '*') p++;
    return p === tokens.length;
  };
}

function tokenTest(token: string): (point: string) => boolean {
  if (token === '?') return () => true;
  if (token.length < 3 || !token.startsWith('[')) return (point) => point === token;
  const negated = token[1] === '!';
  const body = token.slice(negated ? 2 : 1, -1);
  const members = [...body.matchAll(/([^])-([^])|([^])/gu)].map(([, from, to, one]) => [
    from ?? one,
    to ?? one,
  ]);
  return (point) => members.some(([from, to]) => point >= from && point <= to) !== negated;
}
