import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAssay } from '../../../kernel/run/assay-kernel.js';
import { executeNotebook, type ExecuteOptions } from '../../../kernel/run/execute.js';
import { readNotebook, type Notebook, type NotebookResult } from '../../../kernel/run/notebook.js';
import { root } from '../../structure/support.js';
import { builtKernel, codeCell, notebookOf, outputsOf, textOf } from './support.js';

const entry = builtKernel();
let folder: string;

beforeAll(() => {
  // Inside the project, so that cells find the library as a student's notebook does.
  mkdirSync(join(root, '.assay'), { recursive: true });
  folder = mkdtempSync(join(root, '.assay', 'run own ä '));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(
  book: Notebook,
  options: Partial<ExecuteOptions & { folder: string }> = {},
): Promise<NotebookResult> {
  const open = () => openAssay({ root, folder: options.folder ?? folder, entry });
  return executeNotebook(book, open, { timeoutMs: 60_000, ...options });
}

describe.skipIf(!entry)('a notebook run on the project’s kernel, without Jupyter (needs its build)', () => {
  describe('that goes well', () => {
    // One run for all of these.
    let result: NotebookResult;
    beforeAll(async () => {
      writeFileSync(join(folder, 'data.txt'), 'here');
      result = await run(
        notebookOf(
          'const a = 20; const sum = a + 22; sum',
          'console.log("out"); console.error("err"); "ä✓"',
          'import * as tslab from "tslab"; const shown = tslab.newDisplay(); shown.html("<b>1</b>");',
          'shown.html("<b>2</b>");',
          'import * as assay from "assay"; console.log(typeof assay, Object.keys(assay).length > 0);',
          'import * as fs from "node:fs"; console.log(fs.readFileSync("data.txt", "utf8"));',
          'for (let i = 0; i < 10000; i++) console.log(`line ${i}`);',
          codeCell('throw new Error("meant");', 'raises-exception'),
          'setTimeout(() => console.log("late"), 300);',
          'await new Promise((resolve) => setTimeout(resolve, 600)); console.log("own");',
        ),
      );
    }, 120_000);

    it('ends without a failure and numbers its cells', () => {
      expect(result.failure).toBeUndefined();
      expect(result.notebook.cells.map((cell) => cell.execution_count)).toEqual([
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
      ]);
    });

    it('keeps results as results and tells both streams apart', () => {
      expect(outputsOf(result, 0)).toMatchObject([
        { output_type: 'execute_result', data: { 'text/plain': '42' }, execution_count: 1 },
      ]);
      expect(outputsOf(result, 1)).toMatchObject([
        { output_type: 'stream', name: 'stdout', text: 'out\n' },
        { output_type: 'stream', name: 'stderr', text: 'err\n' },
        { output_type: 'execute_result' },
      ]);
    });

    it('keeps the last state of a display, wherever it was renewed', () => {
      expect(outputsOf(result, 2)).toMatchObject([{ data: { 'text/html': '<b>2</b>' } }]);
    });

    it('finds the library by its name, in its own folder, and prints without colours', () => {
      expect(textOf(result, 4)).toBe('object true\n');
      expect(textOf(result, 5)).toBe('here\n');
    });

    it('loses none of ten thousand lines', () => {
      const lines = textOf(result, 6).trimEnd().split('\n');
      expect([lines.length, lines[0], lines[9999]]).toEqual([10000, 'line 0', 'line 9999']);
    });

    it('saves what comes late with the cell that it belongs to', () => {
      expect(textOf(result, 8)).toBe('late\n');
      expect(textOf(result, 9)).toBe('own\n');
    });
  });

  it.each([
    ['an exception', 'console.log("before"); throw new RangeError("too far");', /^RangeError: too far/],
    ['a type error', 'const n: number = "text";', /TS2322/],
    ['an unhandled rejection', 'void Promise.reject(new Error("left behind"));', /left behind/],
    ['the end of the process', 'process.kill(process.pid, "SIGKILL");', /the kernel process ended/],
  ])('ends at %s and keeps what was there until then', async (_what, source, reason) => {
    const result = await run(notebookOf('console.log("first");', source, 'console.log("never");'));
    expect(result).toMatchObject({ ok: false, failure: { cell: 2 } });
    expect(result.failure?.reason).toMatch(reason);
    expect(textOf(result, 0)).toBe('first\n');
    expect(outputsOf(result, 1).at(-1)).toMatchObject({ output_type: 'error' });
    expect(outputsOf(result, 2)).toEqual([]);
  });

  it('fails at a rejection that the last cell leaves behind', async () => {
    const source = 'setTimeout(() => void Promise.reject(new Error("behind")), 20); 1';
    const result = await run(notebookOf('1', source));
    expect(result.failure).toMatchObject({ cell: 2 });
    expect(result.failure?.reason).toMatch(/behind/);
  });

  it('is interrupted at its timeout', async () => {
    const result = await run(notebookOf('for (;;) {}'), { timeoutMs: 5000 });
    expect(result.failure).toEqual({ cell: 1, reason: 'the cell did not end within 5 s' });
    expect(outputsOf(result, 0).at(-1)).toMatchObject({ output_type: 'error', ename: 'CellInterrupted' });
  });

  it.each(['await new Promise(() => undefined);', 'for (;;) {}'])(
    'stops at an interrupt of %j and keeps what was printed',
    async (source) => {
      const controller = new AbortController();
      let waiting: NodeJS.Timeout | undefined;
      const result = await run(notebookOf(`console.log("first"); ${source}`), {
        signal: controller.signal,
        onCell: ({ notebook }) => {
          waiting ??= setInterval(() => {
            if (notebook.cells[0].outputs?.length) controller.abort();
          }, 20);
        },
      });
      clearInterval(waiting);
      expect(result.failure).toMatchObject({ reason: 'interrupted', interrupted: true });
      expect(textOf(result, 0)).toBe('first\n');
      expect(outputsOf(result, 0).at(-1)).toMatchObject({ output_type: 'error', ename: 'CellInterrupted' });
    },
  );

  it('runs the start notebook to its figure', { timeout: 240_000 }, async () => {
    const file = join(root, 'notebooks', 'start.ipynb');
    const result = await run(readNotebook(file), { timeoutMs: 120_000, folder: join(root, 'notebooks') });
    expect(result.failure).toBeUndefined();
    expect(JSON.stringify(result.notebook)).toContain('application/vnd.plotly.v1+json');
    expect(existsSync(file) && readFileSync(file, 'utf8')).not.toContain('"execution_count": 1');
  });
});
