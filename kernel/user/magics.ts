/** Lines that begin with % at a cell's head: not TypeScript, but what notebook users expect of a kernel. */

/** What a cell's magic lines ask for. */
export interface Magics {
  /** The cell with its magic lines blanked, so that lines and columns stay. */
  readonly code: string;
  readonly nocheck: boolean;
  readonly time: boolean;
  /** Packages and options of each %install line. */
  readonly installs: readonly (readonly string[])[];
  /** The cell is a program of this shell and nothing else. */
  readonly shell?: { readonly name: 'bash' | 'sh'; readonly script: string };
  /** A line this kernel does not know. */
  readonly unknown?: { readonly line: number; readonly text: string };
}

export const KNOWN = ['%install PACKAGE…', '%%nocheck', '%%time', '%%bash', '%%sh'];

const INERT = /^\s*(?:$|\/\/)/;

/** Reads the magic lines that stand before the first line of code. */
export function readMagics(code: string): Magics {
  if (!code.includes('%')) return { code, nocheck: false, time: false, installs: [] };
  const lines = code.split('\n');
  const installs: string[][] = [];
  const found = { nocheck: false, time: false };
  for (const [i, line] of lines.entries()) {
    if (INERT.test(line)) continue;
    const [, magic, rest] = /^\s*(%{1,2}[A-Za-z]\w*)(?:\s+(.*?))?\s*$/.exec(line) ?? [];
    if (magic === undefined) break;
    if (magic === '%%bash' || magic === '%%sh') {
      const script = `${rest ?? ''}\n${lines.slice(i + 1).join('\n')}`;
      const name = magic.slice(2) as 'bash' | 'sh';
      return { code: '', ...found, installs, shell: { name, script } };
    }
    if (magic === '%install') installs.push(rest?.split(/\s+/) ?? []);
    else if (magic === '%%nocheck') found.nocheck = true;
    else if (magic === '%%time') found.time = true;
    else return { code, ...found, installs, unknown: { line: i + 1, text: magic } };
    lines[i] = ' '.repeat(line.length);
  }
  return { code: lines.join('\n'), ...found, installs };
}

/** What the cell's comments say of type checking: of this cell, or of the session from here on. */
export function checkComment(code: string): { cell?: false; session?: boolean } {
  const first = /^(?:[ \t]*\r?\n)*[ \t]*(\/\/.*)/.exec(code)?.[1] ?? '';
  if (/^\/\/\s*@ts-nocheck\b/.test(first)) return { cell: false };
  const setting = /^[ \t]*\/\/\s*assay:\s*types\s+(on|off)\s*$/m.exec(code)?.[1];
  return setting === undefined ? {} : { session: setting === 'on' };
}
