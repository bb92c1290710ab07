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

/** One thing a kernel shows while (or after) it runs a cell. */
export type KernelOutput =
  | { type: 'stream'; name: 'stdout' | 'stderr'; text: string }
  | { type: 'display'; output: DisplayOutput; id?: string }
  | { type: 'update'; id: string; data: MimeBundle; metadata: Record<string, unknown> }
  | { type: 'clear'; wait: boolean }
  | { type: 'error'; ename: string; evalue: string; traceback: string[] };

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

/** What a notebook's metadata says about the kernel that it belongs to. */
export function kernelMetadata(kernel: 'assay' | 'tslab'): Record<string, unknown> {
  const display_name = kernel === 'assay' ? 'TypeScript (Assay)' : 'TypeScript (tslab)';
  return {
    kernelspec: { display_name, language: 'typescript', name: kernel },
    language_info: { file_extension: '.ts', mimetype: 'text/typescript', name: 'typescript' },
  };
}

/** What became of one notebook. `failure` names the first cell (from 1, code cells only) that failed and why. */
export interface NotebookResult {
  readonly notebook: Notebook;
  readonly ok: boolean;
  readonly executed: number;
  readonly codeCells: number;
  readonly seconds: number;
  readonly failure?: Failure;
}

export interface Failure {
  readonly cell: number;
  readonly reason: string;
  /** The run was stopped from outside, not by its own code. */
  readonly interrupted?: boolean;
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

export function hasTag(cell: Cell, ...tags: string[]): boolean {
  return cell.metadata.tags?.some((tag) => tags.includes(tag)) ?? false;
}

/** Whether a cell says that it is meant to fail (the tag nbclient knows). */
export function mayRaise(cell: Cell): boolean {
  return hasTag(cell, 'raises-exception');
}

/** The tag of cells that only the project's own kernel can run. */
export const OWN_KERNEL_TAG = 'assay-kernel';

/** The cells a run executes, in order: code that is not empty and not tagged to be left out. */
export function cellsToRun(notebook: Notebook, leaveOut: readonly string[] = []): Cell[] {
  return notebook.cells.filter(
    (cell) =>
      cell.cell_type === 'code' &&
      sourceOf(cell).trim() !== '' &&
      !hasTag(cell, 'skip', 'skip-execution', ...leaveOut),
  );
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

/** The outputs of one cell: neighbouring text of one stream is joined, a wanted clearing waits for what follows. */
export class CellOutputs {
  private clearing = false;

  constructor(
    private readonly outputs: Output[],
    private readonly displays: Map<string, DisplayOutput[]>,
  ) {}

  /** Takes one thing that a kernel showed. */
  show(event: KernelOutput): void {
    if (event.type === 'update') return this.update(event);
    if (event.type === 'clear') {
      this.clearing = event.wait;
      if (!event.wait) this.outputs.length = 0;
      return;
    }
    if (this.clearing) this.outputs.length = 0;
    this.clearing = false;
    if (event.type === 'stream') this.stream(event.name, event.text);
    else if (event.type === 'display') this.display(event.output, event.id);
    else {
      const { ename, evalue, traceback } = event;
      this.outputs.push({ output_type: 'error', ename, evalue, traceback });
    }
  }

  /** What the cell has written to standard error, for the reason of a failure. */
  standardError(): string {
    return this.outputs
      .filter((output) => output.output_type === 'stream' && output.name === 'stderr')
      .map((output) => (output as StreamOutput).text)
      .join('');
  }

  endsWithError(): boolean {
    return this.outputs.at(-1)?.output_type === 'error';
  }

  private stream(name: 'stdout' | 'stderr', text: string): void {
    const last = this.outputs.at(-1);
    if (last?.output_type === 'stream' && last.name === name) last.text += text;
    else this.outputs.push({ output_type: 'stream', name, text });
  }

  private display(output: DisplayOutput, id: string | undefined): void {
    this.outputs.push(output);
    if (id === undefined) return;
    const known = this.displays.get(id) ?? [];
    known.push(output);
    this.displays.set(id, known);
  }

  /** New content for every output shown under this id, whichever cell shows it. */
  private update({ id, data, metadata }: Extract<KernelOutput, { type: 'update' }>): void {
    for (const output of this.displays.get(id) ?? []) {
      output.data = data;
      output.metadata = metadata;
    }
  }
}

/** Outputs of a whole notebook; displays are known by their ids across cells. */
export class OutputCollector {
  private readonly displays = new Map<string, DisplayOutput[]>();

  /** Empties the cell's outputs and gives what fills them, also after the next cell has begun. */
  startCell(cell: Cell): CellOutputs {
    return new CellOutputs((cell.outputs = []), this.displays);
  }
}
