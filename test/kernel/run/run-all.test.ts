import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runKey } from '../../../kernel/run/key.js';
import {
  kernelMetadata,
  readNotebook,
  type Cell,
  type KernelOutput,
  type Notebook,
} from '../../../kernel/run/notebook.js';
import { LostServer, type CellEnd, type NotebookKernel } from '../../../kernel/run/notebook-kernel.js';
import { nameFor, planRuns } from '../../../kernel/run/plan.js';
import {
  RECORD_MIME,
  csvOf,
  printedTable,
  recordedValues,
  type RunRow,
} from '../../../kernel/run/records.js';
import { runAll, type RunAllOptions } from '../../../kernel/run/run-all.js';

let folder: string;
let out: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assay runs ü '));
  out = join(folder, 'out');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const code = (source: string, ...tags: string[]): Cell => ({
  cell_type: 'code',
  source,
  metadata: { tags },
  outputs: [],
});
const book = (...cells: Cell[]): Notebook => ({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });

function write(name: string, ...cells: Cell[]): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(book(...cells)));
  return file;
}

/** A kernel that records what `answer` gives for the injected code, and how many run at a time. */
class Recorder {
  opened = 0;
  now = 0;
  most = 0;
  constructor(
    private readonly answer: (source: string) => CellEnd | Promise<CellEnd> = () => ({ ok: true }),
  ) {}

  async open(): Promise<NotebookKernel> {
    this.opened++;
    this.most = Math.max(this.most, ++this.now);
    return {
      gone: new Promise(() => undefined),
      execute: async (source: string, show: (output: KernelOutput) => void) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        const data = { [RECORD_MIME]: { length: source.length } };
        show({ type: 'display', output: { output_type: 'display_data', data, metadata: {} } });
        return this.answer(source);
      },
      interrupt: async () => false,
      close: async () => void this.now--,
    };
  }
}

const said: string[] = [];
function options(recorder: Recorder, more: Partial<RunAllOptions> = {}): RunAllOptions {
  said.length = 0;
  return {
    root: folder,
    kernel: 'fake',
    open: () => recorder.open(),
    jobs: 1,
    force: false,
    limits: { timeoutMs: 60_000 },
    signal: new AbortController().signal,
    progress: (text) => void said.push(text),
    ...more,
  };
}

const sets = (...steps: number[]) => steps.map((value) => ({ steps: { value } }));

describe('the plan of runs', () => {
  it('makes a file for each parameter set, named by it', () => {
    const file = write('a.ipynb', code('const steps = 1;', 'parameters'));
    const plan = planRuns([file], sets(1, 2, 2), out);
    expect(plan.map(({ output }) => basename(output))).toEqual([
      'a-steps=1.ipynb',
      'a-steps=2.ipynb',
      'a-steps=2-2.ipynb',
    ]);
    expect(plan[1].notebook.cells).toHaveLength(2);
  });

  it('names the parameter set that a notebook does not allow', () => {
    const file = write('a.ipynb', code('const other = 1;', 'parameters'));
    expect(() => planRuns([file], sets(1, 2), out)).toThrow(/a\.ipynb, parameter set 1: parameter steps/);
  });

  it('makes names that every file system takes and that stay apart', () => {
    expect(nameFor('a', {})).toBe('a');
    expect(nameFor('a', { x: 0.5, y: 'b' })).toBe('a-x=0.5,y=b');
    const slash = nameFor('a', { x: 'b/c' });
    expect(slash).toMatch(/^a-x=b_c-[0-9a-f]{8}$/);
    expect(slash).not.toBe(nameFor('a', { x: 'b:c' }));
    expect(nameFor('a', { x: 'long'.repeat(100) }).length).toBeLessThan(120);
  });
});

describe('runs', () => {
  it('are made as many at a time as wanted, rows in the order of the plan', async () => {
    const file = write('a.ipynb', code('const steps = 1;', 'parameters'));
    const recorder = new Recorder();
    const rows = await runAll(planRuns([file], sets(1, 2, 3, 4, 5), out), options(recorder, { jobs: 2 }));
    expect(rows.map((row) => [row.parameters['steps'], row.status])).toEqual(
      [1, 2, 3, 4, 5].map((steps) => [steps, 'ok']),
    );
    expect(recorder.most).toBe(2);
    expect(recorder.now).toBe(0);
  });

  it('that are done with the same key are kept, their values too; --force makes them again', async () => {
    const file = write('a.ipynb', code('1'));
    const recorder = new Recorder();
    const [first] = await runAll(planRuns([file], [], out), options(recorder));
    expect(first).toMatchObject({ status: 'ok', values: { length: 1 } });
    const [second] = await runAll(planRuns([file], [], out), options(recorder));
    expect(second).toMatchObject({
      status: 'kept',
      ok: true,
      values: { length: 1 },
      executed: 1,
      codeCells: 1,
    });
    expect(recorder.opened).toBe(1);
    await runAll(planRuns([file], [], out), options(recorder, { force: true }));
    expect(recorder.opened).toBe(2);
    write('a.ipynb', code('2'));
    const [changed] = await runAll(planRuns([file], [], out), options(recorder));
    expect(changed.status).toBe('ok');
  });

  it('that failed are saved as far as they came and made again', async () => {
    const file = write('a.ipynb', code('1'), code('2'), code('3'));
    const failing = new Recorder((source) =>
      source === '2' ? { ok: false, reason: 'Error: no' } : { ok: true },
    );
    const plan = planRuns([file], [], out);
    const [row] = await runAll(plan, options(failing));
    expect(row).toMatchObject({ status: 'failed', ok: false, failure: { cell: 2, reason: 'Error: no' } });
    const saved = readNotebook(row.output);
    expect(saved.metadata).toMatchObject({ assay: { run: { status: 'failed' } } });
    expect(saved.cells.map((cell) => cell.outputs?.length)).toEqual([1, 2, 0]);
    const [again] = await runAll(plan, options(new Recorder()));
    expect(again.status).toBe('ok');
  });

  it('say in their copies which kernel ran them', async () => {
    const file = write('a.ipynb', code('1'));
    const metadata = kernelMetadata('assay');
    const [row] = await runAll(planRuns([file], [], out), options(new Recorder(), { metadata }));
    expect(readNotebook(row.output).metadata).toMatchObject({ kernelspec: { name: 'assay' } });
    expect(readNotebook(file).metadata).toEqual({});
  });

  it('are saved after each cell', async () => {
    const file = write('a.ipynb', code('1'), code('2'));
    const seen: unknown[] = [];
    const recorder = new Recorder((source) => {
      if (source === '2') seen.push(readNotebook(join(out, 'a.ipynb')).cells[0].outputs?.length);
      return { ok: true };
    });
    await runAll(planRuns([file], [], out), options(recorder));
    expect(seen).toEqual([1]);
    expect(readdirSync(out)).toEqual(['a.ipynb']);
  });

  it('whose server is lost are tried again, then reported; finished ones stay', async () => {
    const file = write('a.ipynb', code('const steps = 1;', 'parameters'));
    let losses = 0;
    const recorder = new Recorder((source) => {
      if (!source.includes('steps = 2')) return { ok: true } as const;
      losses++;
      return Promise.reject(new LostServer('the server was lost'));
    });
    const retry = async (attempt: number): Promise<boolean> => attempt < 3;
    const rows = await runAll(planRuns([file], sets(1, 2, 3), out), options(recorder, { retry }));
    expect(rows.map(({ status }) => status)).toEqual(['ok', 'lost', 'ok']);
    expect(rows[1].failure?.reason).toBe('the server was lost');
    expect(losses).toBe(3);
    expect(readNotebook(rows[1].output).metadata).toMatchObject({ assay: { run: { status: 'lost' } } });
    expect(said).toContain(`${rows[1].output}: the server was lost`);
  });

  it('that an interrupt leaves are told apart from failures', async () => {
    const file = write('a.ipynb', code('const steps = 1;', 'parameters'));
    const controller = new AbortController();
    const recorder = new Recorder(() => {
      controller.abort();
      return new Promise(() => undefined);
    });
    const plan = planRuns([file], sets(1, 2), out);
    const rows = await runAll(plan, options(recorder, { signal: controller.signal }));
    expect(rows.map(({ status }) => status)).toEqual(['interrupted', 'not run']);
    expect(readNotebook(rows[0].output).metadata).toMatchObject({
      assay: { run: { status: 'interrupted' } },
    });
  });

  it('whose server is away while they are interrupted were interrupted', async () => {
    const file = write('a.ipynb', code('1'));
    const controller = new AbortController();
    const open = () => Promise.reject(new LostServer('away'));
    const retry = async (): Promise<boolean> => (controller.abort(), false);
    const more = { open, retry, signal: controller.signal };
    const [row] = await runAll(planRuns([file], [], out), options(new Recorder(), more));
    expect(row.status).toBe('interrupted');
  });

  it('that cannot begin say why', async () => {
    const file = write('a.ipynb', code('1'));
    const open = () => Promise.reject(new Error('no kernel here'));
    const [row] = await runAll(planRuns([file], [], out), options(new Recorder(), { open }));
    expect(row).toMatchObject({ status: 'failed', failure: { cell: 0, reason: 'no kernel here' } });
  });
});

describe('the key of a run', () => {
  const key = (source: string, more: Partial<Parameters<typeof runKey>[0]> = {}): Promise<string> =>
    runKey({ notebook: book(code(source)), parameters: {}, kernel: 'k', folder, versions: 'v', ...more });

  it('is the same for the same and another for another code, parameter, kernel or version', async () => {
    const base = await key('1');
    expect(await key('1')).toBe(base);
    for (const other of [
      key('2'),
      key('1', { parameters: { a: 1 } }),
      key('1', { kernel: 'l' }),
      key('1', { versions: 'w' }),
    ])
      expect(await other).not.toBe(base);
    const orders = [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ];
    expect(await key('1', { parameters: orders[0] })).toBe(await key('1', { parameters: orders[1] }));
  });

  it('follows the files, modules and folders that the code names', async () => {
    mkdirSync(join(folder, 'data'));
    const sources = [`read('data.csv')`, `import { a } from './own.js';`, `import('./own')`, `list('data')`];
    const keys = async (): Promise<string[]> => Promise.all(sources.map((source) => key(source)));
    const before = await keys();
    writeFileSync(join(folder, 'data.csv'), '1');
    writeFileSync(join(folder, 'own.ts'), `import './deep.js'; export const a = 1;`);
    writeFileSync(join(folder, 'data', 'x'), '1');
    const there = await keys();
    there.forEach((one, i) => expect(one).not.toBe(before[i]));
    writeFileSync(join(folder, 'deep.ts'), 'export {};');
    const deep = await keys();
    expect([1, 2].map((i) => deep[i] !== there[i])).toEqual([true, true]);
    expect(deep[0]).toBe(there[0]);
  });

  it('does not look around in folders above the notebook', async () => {
    const before = await Promise.all(['"/"', '".."', '"."', '"http://x/"'].map((source) => key(source)));
    writeFileSync(join(folder, 'new'), '');
    expect(await Promise.all(['"/"', '".."', '"."', '"http://x/"'].map((source) => key(source)))).toEqual(
      before,
    );
  });
});

describe('the table of runs', () => {
  const row = (parameters: RunRow['parameters'], values: RunRow['values']): RunRow => ({
    notebook: 'a.ipynb',
    output: 'o.ipynb',
    parameters,
    status: 'ok',
    ok: true,
    executed: 1,
    codeCells: 1,
    seconds: 1.5,
    values,
  });
  const rows = [row({ n: 1, form: 'a,b' }, { loss: 0.5 }), row({ n: 2 }, { loss: [1], n: 3 })];

  it('has parameters, status, seconds and values; a value named like a parameter says so', () => {
    expect(csvOf(rows)).toBe(
      'n,form,status,seconds,loss,n (result)\r\n1,"a,b",ok,1.5,0.5,\r\n2,,ok,1.5,[1],3\r\n',
    );
    expect(printedTable(rows)).toEqual([
      'n  form  status  seconds  loss  n (result)',
      '-  ----  ------  -------  ----  ----------',
      '1  a,b   ok      1.5      0.5',
      '2        ok      1.5      [1]   3',
    ]);
  });

  it('takes its values from what notebooks record, scrapbook’s kind too', () => {
    const display = (data: Record<string, unknown>) => ({
      output_type: 'display_data' as const,
      data,
      metadata: {},
    });
    const cell = code('1');
    cell.outputs = [
      display({ [RECORD_MIME]: { a: 1, b: 2 } }),
      display({ [RECORD_MIME]: { b: 3 } }),
      display({ 'application/scrapbook.scrap.json+json': { name: 'c', data: [4] } }),
      { output_type: 'stream', name: 'stdout', text: 'x' },
    ];
    expect(recordedValues(book(cell))).toEqual({ a: 1, b: 3, c: [4] });
  });
});
