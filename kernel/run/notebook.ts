/** Notebook files (nbformat 4.5) and the outputs a run collects into them. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export type MimeBundle = Record<string, unknown>;

export interface StreamOutput {
  output_type: 'stream';
  name: 'stdout' | 'stderr';
  text: string;
}
export interface DisplayOutput {
  output_type: 'display_data' | 'execute_result';
  data: MimeBundle;
  metadata: Record<string, unknown>;
  execution_count?: number | null;
}
export interface ErrorOutput {
  output_type: 'error';
  ename: string;
  evalue: string;
  traceback: string[];
}
export type Output = StreamOutput | DisplayOutput | ErrorOutput;

export interface Cell {
  cell_type: 'code' | 'markdown' | 'raw';
  source: string | string[];
  metadata: { tags?: string[] } & Record<string, unknown>;
  id?: string;
  outputs?: Output[];
  execution_count?: number | null;
}

export interface Notebook {
  cells: Cell[];
  metadata: Record<string, unknown>;
  nbformat: number;
  nbformat_minor: number;
}

/** What became of one notebook. `failure` names the first cell (from 1, code cells only) that failed and why. */
export interface NotebookResult {
  readonly notebook: Notebook;
  readonly ok: boolean;
  readonly executed: number;
  readonly codeCells: number;
  readonly seconds: number;
  readonly failure?: { readonly cell: number; readonly reason: string };
}

/** Reads a notebook; throws when the file is not one. */
export function readNotebook(file: string): Notebook {
  let value: Partial<Notebook>;
  try {
    value = JSON.parse(readFileSync(file, 'utf8')) as Partial<Notebook>;
  } catch (error) {
    throw new Error(`${file} cannot be read as a notebook: ${(error as Error).message}`);
  }
  if (value.nbformat !== 4 || !Array.isArray(value.cells))
    throw new Error(`${file} must be a notebook of format 4, got nbformat ${String(value.nbformat)}`);
  return value as Notebook;
}

/** Writes a notebook so that a reader sees the old file or the new one. */
export function writeNotebook(file: string, notebook: Notebook): void {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(notebook, null, 1) + '\n');
  renameSync(temporary, file);
}

/** Text of a cell; the format allows a list of lines. */
export function sourceOf(cell: Cell): string {
  return Array.isArray(cell.source) ? cell.source.join('') : cell.source;
}

/** Whether a cell says that it is meant to fail (the tag nbclient knows). */
export function mayRaise(cell: Cell): boolean {
  return cell.metadata.tags?.includes('raises-exception') ?? false;
}

/** A copy without any outputs, ready to be executed. */
export function withoutOutputs(notebook: Notebook): Notebook {
  const copy = structuredClone(notebook);
  for (const cell of copy.cells) {
    if (cell.cell_type !== 'code') continue;
    cell.outputs = [];
    cell.execution_count = null;
  }
  return copy;
}

/** The line of an error's text that says what went wrong: the first `SomeError: message`, or the first line. */
export function failureLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return (
    lines.find((line) => /^(?:\w+: )?(?:Uncaught )?(?:[A-Z]\w*)?(?:Error|Exception): /.test(line)) ?? lines[0]
  );
}

/** Collects outputs in order: neighbouring text of one stream is joined, a display is replaced by its updates. */
export class OutputCollector {
  private outputs: Output[] = [];
  private readonly displays = new Map<string, DisplayOutput[]>();

  /** Sends what follows to the outputs of this cell. */
  startCell(cell: Cell): void {
    this.outputs = cell.outputs = [];
  }

  stream(name: 'stdout' | 'stderr', text: string): void {
    const last = this.outputs.at(-1);
    if (last?.output_type === 'stream' && last.name === name) last.text += text;
    else this.outputs.push({ output_type: 'stream', name, text });
  }

  display(output: DisplayOutput, id?: string): void {
    this.outputs.push(output);
    if (id === undefined) return;
    const known = this.displays.get(id) ?? [];
    known.push(output);
    this.displays.set(id, known);
  }

  /** New content for every output shown under this id, whichever cell shows it. */
  update(id: string, data: MimeBundle, metadata: Record<string, unknown>): void {
    for (const output of this.displays.get(id) ?? []) {
      output.data = data;
      output.metadata = metadata;
    }
  }

  error(ename: string, evalue: string, traceback: string[]): void {
    this.outputs.push({ output_type: 'error', ename, evalue, traceback });
  }

  clear(): void {
    this.outputs.length = 0;
  }

  /** What the current cell has written to standard error, for the reason of a failure. */
  standardError(): string {
    return this.outputs
      .filter((output) => output.output_type === 'stream' && output.name === 'stderr')
      .map((output) => (output as StreamOutput).text)
      .join('');
  }
}
