import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot } from '../../../kernel/cli/root.js';
import { executeNotebook, type ExecuteOptions } from '../../../kernel/run/execute.js';
import type { Cell, Notebook, NotebookResult, Output } from '../../../kernel/run/notebook.js';
import { openTslab } from '../../../kernel/run/tslab-kernel.js';

const root = projectRoot();
const tslab = existsSync(join(root, '.assay', 'tslab', 'node_modules', 'tslab'));
let folder: string;

beforeAll(() => {
  // Inside the project, so that cells find the library as a student's notebook does.
  mkdirSync(join(root, '.assay'), { recursive: true });
  folder = mkdtempSync(join(root, '.assay', 'run test ä '));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function notebook(...sources: string[]): Notebook {
  const cells: Cell[] = sources.map((source) => ({ cell_type: 'code', source, metadata: {}, outputs: [] }));
  return { cells, metadata: {}, nbformat: 4, nbformat_minor: 5 };
}

function run(
  book: Notebook,
  timeoutMs = 60_000,
  options: Partial<ExecuteOptions & { folder: string }> = {},
): Promise<NotebookResult> {
  const { signal } = options;
  return executeNotebook(book, () => openTslab(root, options.folder ?? folder, signal), {
    ...options,
    timeoutMs,
  });
}

const outputs = (result: NotebookResult, cell: number): Output[] => result.notebook.cells[cell].outputs ?? [];
const text = (result: NotebookResult, cell: number): string =>
  outputs(result, cell)
    .map((output) => (output.output_type === 'stream' ? output.text : ''))
    .join('');

describe.skipIf(!tslab)(
  'a notebook run on stock tslab, without Jupyter (needs tslab: `npm test` installs it)',
  () => {
    describe('that goes well', () => {
      // One run for all of these: starting the compiler is what takes long.
      let result: NotebookResult;
      beforeAll(async () => {
        writeFileSync(join(folder, 'data.txt'), 'here');
        result = await run(
          notebook(
            'const a = 20;',
            'const sum = a + 22; sum',
            'console.log("out"); console.error("err"); "ä✓"',
            'import * as tslab from "tslab"; const shown = tslab.newDisplay(); shown.html("<b>1</b>");',
            'shown.html("<b>2</b>"); tslab.display.raw("application/json", { a: 1 } as any);',
            'import * as assay from "assay"; console.log(typeof assay, Object.keys(assay).length > 0);',
            'import * as fs from "fs"; console.log(fs.readFileSync("data.txt", "utf8"));',
            'for (let i = 0; i < 10000; i++) console.log(i);',
          ),
        );
      }, 120_000);

      it('ends without a failure and numbers its cells', () => {
        expect(result).toMatchObject({ ok: true, executed: 8, codeCells: 8, failure: undefined });
        expect(result.notebook.cells.map((cell) => cell.execution_count)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      });

      it('keeps names from cell to cell and shows the last value', () => {
        expect(text(result, 1)).toBe('42\n');
      });

      it('tells both streams apart, in order', () => {
        const streams = outputs(result, 2).map((output) => output.output_type === 'stream' && output.name);
        expect(streams).toEqual(['stdout', 'stderr', 'stdout']);
        expect(text(result, 2)).toBe('out\nerr\nä✓\n');
      });

      it('captures displays and their updates, also from a later cell', () => {
        expect(outputs(result, 3)).toEqual([
          { output_type: 'display_data', data: { 'text/html': '<b>2</b>' }, metadata: {} },
        ]);
        expect(outputs(result, 4)).toMatchObject([{ data: { 'application/json': { a: 1 } } }]);
      });

      it('finds the library by its name', () => {
        expect(text(result, 5)).toBe('object true\n');
      });

      it('runs in the notebook’s own folder', () => {
        expect(text(result, 6)).toBe('here\n');
      });

      it('loses none of ten thousand lines', () => {
        expect(text(result, 7).trimEnd().split('\n')).toHaveLength(10000);
      });
    });

    it('knows the types of the library', async () => {
      const result = await run(
        notebook('import * as assay from "assay"; const x: number = assay.noSuchName;'),
      );
      expect(result.ok).toBe(false);
      expect(text(result, 0)).toMatch(/Property 'noSuchName' does not exist/);
    });

    it.each([
      ['an exception', 'console.log("before"); throw new RangeError("too far");', /RangeError: too far/],
      ['an unhandled rejection', 'void Promise.reject(new Error("left behind"));', /left behind/],
      ['the end of the process', 'process.exit(3);', /the kernel process ended \(exit code 3\)/],
    ])('ends at %s and keeps what was there until then', async (_what, source, reason) => {
      const result = await run(notebook('console.log("first");', source, 'console.log("never");'));
      expect(result.ok).toBe(false);
      expect(result.failure).toMatchObject({ cell: 2 });
      expect(result.failure?.reason).toMatch(reason);
      expect(text(result, 0)).toBe('first\n');
      expect(outputs(result, 1).at(-1)).toMatchObject({ output_type: 'error' });
      expect(outputs(result, 2)).toEqual([]);
    });

    it('goes on after a failure that the cell announces', async () => {
      const book = notebook('throw new Error("meant");', 'console.log("on");');
      book.cells[0].metadata.tags = ['raises-exception'];
      const result = await run(book);
      expect(result.ok).toBe(true);
      expect(text(result, 1)).toBe('on\n');
    });

    it.each(['await new Promise(() => undefined);', 'for (;;) {}'])(
      'stops %j at the timeout',
      async (source) => {
        const result = await run(notebook('console.log("first");', source), 2000);
        expect(result.failure).toEqual({ cell: 2, reason: 'the cell did not end within 2 s' });
        expect(text(result, 0)).toBe('first\n');
      },
    );

    it('stops when it is interrupted', async () => {
      const controller = new AbortController();
      const result = await run(notebook('for (;;) {}'), 60_000, {
        signal: controller.signal,
        onCell: ({ done }) => void (done || setTimeout(() => controller.abort(), 200)),
      });
      expect(result.failure?.reason).toBe('interrupted');
    });

    it(
      'runs the library cells of the start notebook and leaves its source as it is',
      { timeout: 240_000 },
      async () => {
        const file = join(root, 'notebooks', 'start.ipynb');
        const before = readFileSync(file, 'utf8');
        const book = JSON.parse(before) as Notebook;
        const result = await run(book, 120_000, {
          folder: join(root, 'notebooks'),
          leaveOut: ['assay-kernel'],
        });
        expect(result.failure).toBeUndefined();
        expect(readFileSync(file, 'utf8')).toBe(before);
        expect(JSON.stringify(book)).toBe(JSON.stringify(JSON.parse(before)));
      },
    );
  },
);
