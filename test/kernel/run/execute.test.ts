import { describe, expect, it } from 'vitest';
import { executeNotebook, type ExecuteOptions } from '../../../kernel/run/execute.js';
import {
  OutputCollector,
  type Cell,
  type KernelOutput,
  type Notebook,
  type NotebookResult,
} from '../../../kernel/run/notebook.js';
import { LostServer, type CellEnd, type NotebookKernel } from '../../../kernel/run/notebook-kernel.js';

type Show = (output: KernelOutput) => void;

/** A kernel whose cells are functions by the code's name. */
class FakeKernel implements NotebookKernel {
  readonly ran: string[] = [];
  closed = false;
  die: (reason: string) => void = () => undefined;
  readonly gone = new Promise<string>((resolve) => (this.die = resolve));
  private stop: (end: CellEnd) => void = () => undefined;

  constructor(
    private readonly cells: Record<
      string,
      (show: Show, kernel: FakeKernel) => Promise<CellEnd> | CellEnd | void
    > = {},
  ) {}

  async execute(code: string, show: Show): Promise<CellEnd> {
    this.ran.push(code);
    const stopped = new Promise<CellEnd>((resolve) => (this.stop = resolve));
    const ended = async (): Promise<CellEnd> => (await this.cells[code]?.(show, this)) ?? { ok: true };
    return Promise.race([stopped, ended()]);
  }
  /** A cell that only an interrupt ends. */
  untilStopped(): Promise<CellEnd> {
    return new Promise((resolve) => (this.stop = resolve));
  }
  async interrupt(): Promise<boolean> {
    this.stop({ ok: false, reason: 'CellInterrupted: stopped' });
    return true;
  }
  async close(): Promise<void> {
    this.closed = true;
  }
}

const code = (source: string, ...tags: string[]): Cell => ({
  cell_type: 'code',
  source,
  metadata: tags.length ? { tags } : {},
  outputs: [],
});
const notebook = (...cells: Cell[]): Notebook => ({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
const run = (
  kernel: FakeKernel,
  book: Notebook,
  options: Partial<ExecuteOptions> = {},
): Promise<NotebookResult> => executeNotebook(book, async () => kernel, { timeoutMs: 60_000, ...options });
const text = (value: string): KernelOutput => ({ type: 'stream', name: 'stdout', text: value });
const error = (evalue: string): KernelOutput => ({
  type: 'error',
  ename: 'Error',
  evalue,
  traceback: [evalue],
});

describe('executing a notebook', () => {
  it('runs code in order, leaves out what is empty or tagged, and closes the kernel', async () => {
    const kernel = new FakeKernel();
    const markdown: Cell = { cell_type: 'markdown', source: 'text', metadata: {} };
    const book = notebook(
      code('a'),
      markdown,
      code(' '),
      code('b', 'skip'),
      code('c', 'skip-execution'),
      code('d'),
    );
    const result = await run(kernel, book);
    expect(kernel.ran).toEqual(['a', 'd']);
    expect(result).toMatchObject({ ok: true, executed: 2, codeCells: 2 });
    expect(kernel.closed).toBe(true);
  });

  it('leaves out cells whose tag says that this kernel cannot run them', async () => {
    const kernel = new FakeKernel();
    const book = notebook(code('a'), code('b', 'assay-kernel'), code('c'));
    const options = { timeoutMs: 1000, leaveOut: ['assay-kernel'] };
    const result = await executeNotebook(book, () => Promise.resolve(kernel), options);
    expect(kernel.ran).toEqual(['a', 'c']);
    expect(result).toMatchObject({ ok: true, executed: 2, codeCells: 2 });
  });

  it('puts what comes late into the cell that it belongs to', async () => {
    let first: Show = () => undefined;
    const kernel = new FakeKernel({
      a: (show) => void (first = show)(text('1')),
      b: (show) => (show(text('2')), first(text('late')), undefined),
    });
    const { notebook: executed } = await run(kernel, notebook(code('a'), code('b')));
    expect(executed.cells.map((cell) => cell.outputs)).toMatchObject([[{ text: '1late' }], [{ text: '2' }]]);
  });

  it('fails at the cell that left a failure behind, also after the last cell', async () => {
    let first: Show = () => undefined;
    const behind = new FakeKernel({ a: (show) => void (first = show), b: () => first(error('behind')) });
    expect((await run(behind, notebook(code('a'), code('b'), code('c')))).failure).toEqual({
      cell: 1,
      reason: 'Error: behind',
    });
    const last = new FakeKernel({ a: (show) => void setTimeout(() => show(error('too late')), 5) });
    expect((await run(last, notebook(code('a')))).failure).toEqual({ cell: 1, reason: 'Error: too late' });
  });

  it('goes on after failures that a cell announces', async () => {
    const fail = (show: Show): CellEnd => (show(error('meant')), { ok: false, reason: 'Error: meant' });
    const kernel = new FakeKernel({ a: fail });
    expect(await run(kernel, notebook(code('a', 'raises-exception'), code('b')))).toMatchObject({
      ok: true,
      executed: 2,
    });
    expect(await run(new FakeKernel({ a: fail }), notebook(code('a'), code('b')))).toMatchObject({
      failure: { cell: 1, reason: 'Error: meant' },
      executed: 1,
    });
  });

  it('interrupts a cell at its timeout and keeps what it showed', async () => {
    const kernel = new FakeKernel({ a: (show, own) => (show(text('before')), own.untilStopped()) });
    const result = await run(kernel, notebook(code('a'), code('b')), { timeoutMs: 30 });
    expect(result.failure).toEqual({ cell: 1, reason: 'the cell did not end within 0.03 s' });
    expect(result.notebook.cells[0].outputs).toMatchObject([{ text: 'before' }, { output_type: 'error' }]);
    expect(kernel.ran).toEqual(['a']);
  });

  it('interrupts at the timeout of the whole notebook', async () => {
    const kernel = new FakeKernel({ b: (_, own) => own.untilStopped() });
    const result = await run(kernel, notebook(code('a'), code('b')), { notebookTimeoutMs: 50 });
    expect(result.failure).toEqual({ cell: 2, reason: 'the notebook did not end within 0.05 s' });
  });

  it('stops on a signal and says that it was interrupted', async () => {
    const controller = new AbortController();
    const kernel = new FakeKernel({
      a: (_, own) => (setTimeout(() => controller.abort(), 5), own.untilStopped()),
    });
    const result = await run(kernel, notebook(code('a')), { signal: controller.signal });
    expect(result.failure).toEqual({ cell: 1, reason: 'interrupted', interrupted: true });
  });

  it('names the end of the kernel, whatever the cell announces', async () => {
    const kernel = new FakeKernel({
      a: (_, own) => (own.die('the kernel process ended'), own.untilStopped()),
    });
    const result = await run(kernel, notebook(code('a', 'raises-exception'), code('b')));
    expect(result.failure).toEqual({ cell: 1, reason: 'the kernel process ended' });
    expect(result.notebook.cells[0].outputs).toMatchObject([{ output_type: 'error' }]);
  });

  it('hands on the loss of a server, with the kernel closed', async () => {
    const kernel = new FakeKernel({ a: () => Promise.reject(new LostServer('gone')) });
    await expect(run(kernel, notebook(code('a')))).rejects.toThrow(LostServer);
    expect(kernel.closed).toBe(true);
  });
});

describe('outputs of a cell', () => {
  const shown = (...outputs: KernelOutput[]): unknown => {
    const cell = code('a');
    const collector = new OutputCollector().startCell(cell);
    for (const output of outputs) collector.show(output);
    return cell.outputs;
  };

  it('are joined where one stream goes on', () => {
    expect(shown(text('a'), text('b'))).toEqual([{ output_type: 'stream', name: 'stdout', text: 'ab' }]);
  });

  it('are cleared at once, or when something follows', () => {
    expect(shown(text('a'), { type: 'clear', wait: false })).toEqual([]);
    expect(shown(text('a'), { type: 'clear', wait: true })).toHaveLength(1);
    expect(shown(text('a'), { type: 'clear', wait: true }, text('b'))).toMatchObject([{ text: 'b' }]);
  });

  it('are renewed wherever a display is shown, also in another cell', () => {
    const [one, two] = [code('a'), code('b')];
    const collector = new OutputCollector();
    const display = (data: string): KernelOutput => ({
      type: 'display',
      output: { output_type: 'display_data', data: { 'text/plain': data }, metadata: {} },
      id: 'd',
    });
    collector.startCell(one).show(display('1'));
    const second = collector.startCell(two);
    second.show(display('1'));
    second.show({ type: 'update', id: 'd', data: { 'text/plain': '2' }, metadata: {} });
    for (const cell of [one, two]) expect(cell.outputs).toMatchObject([{ data: { 'text/plain': '2' } }]);
  });
});
