/** `assay run` as a command: exit codes, tables, interrupts. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dispatch } from '../../../kernel/cli/main.js';
import { readNotebook, type Cell } from '../../../kernel/run/notebook.js';
import type { RunRow } from '../../../kernel/run/records.js';
import { root } from '../../structure/support.js';
import { builtKernel, codeCell, notebookOf } from '../run/support.js';

const entry = builtKernel();
let folder: string;
beforeAll(() => {
  mkdirSync(join(root, '.assay'), { recursive: true });
  folder = mkdtempSync(join(root, '.assay', 'run verb '));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Answer {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(args: string[], signal = new AbortController().signal): Promise<Answer> {
  const answer = { code: 0, stdout: '', stderr: '' };
  answer.code = await dispatch(['run', ...args], signal, {
    stdout: (text) => (answer.stdout += text),
    stderr: (text) => (answer.stderr += text),
  });
  return answer;
}

function write(name: string, ...cells: (Cell | string)[]): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify(notebookOf(...cells)));
  return file;
}

describe('assay run refuses', () => {
  it.each([
    [['a.ipynb', '--jobs', '0'], /--jobs must be a whole number of at least 1, got "0"/],
    [['a.ipynb', '--kernel', 'python3'], /--kernel must be assay or tslab without --server/],
    [['a.ipynb', '--token', 'x'], /--token needs --server/],
    [['a.ipynb', '--notebook-timeout', 'x'], /--notebook-timeout must be a number above 0/],
  ])('%j as wrong use', async (args, message) => {
    expect(await run(args)).toMatchObject({ code: 2, stderr: expect.stringMatching(message) as string });
  });

  it('a parameter that the notebook does not declare, before anything runs', async () => {
    const file = write('declared.ipynb', codeCell('const steps = 1;', 'parameters'));
    const out = join(folder, 'none');
    const answer = await run([file, '--out', out, '-p', 'step=2']);
    expect(answer.code).toBe(1);
    expect(answer.stderr).toMatch(/parameter step must be one of .*\(steps\)/);
    expect(() => readdirSync(out)).toThrow(/ENOENT/);
  });
});

describe.skipIf(!entry || entry.includes('dist-'))('assay run (needs the built kernel in dist)', () => {
  it('makes one table over all parameter sets, and keeps what is done', { timeout: 240_000 }, async () => {
    const file = write(
      'study.ipynb',
      codeCell('const steps: number = 1;', 'parameters'),
      `import { record } from 'assay/notebook';
if (steps > 2) throw new RangeError('too many');
record('half', steps / 2);`,
    );
    const table = join(folder, 'table.csv');
    writeFileSync(table, 'steps\n1\n2\n3\n');
    const args = [file, '--out', join(folder, 'out'), '--parameters', table, '--jobs', '2', '--json'];
    const first = await run(args);
    expect(first.code).toBe(1);
    const rows = (JSON.parse(first.stdout) as { notebooks: RunRow[] }).notebooks;
    expect(rows.map(({ status, values }) => [status, values['half']])).toEqual([
      ['ok', 0.5],
      ['ok', 1],
      ['failed', undefined],
    ]);
    expect(rows[2].failure).toEqual({ cell: 3, reason: 'RangeError: too many' });
    const csv = readFileSync(join(folder, 'out', 'study.runs.csv'), 'utf8').split('\r\n');
    expect(csv[0]).toBe('steps,status,seconds,half');
    writeFileSync(table, 'steps\n1\n2\n');
    const second = await run(args);
    expect(second.code).toBe(0);
    const kept = (JSON.parse(second.stdout) as { notebooks: RunRow[] }).notebooks;
    expect(kept.map(({ status, values }) => [status, values['half']])).toEqual([
      ['kept', 0.5],
      ['kept', 1],
    ]);
  });

  it('saves what was shown when it is interrupted', { timeout: 120_000 }, async () => {
    const file = write('endless.ipynb', 'console.log("first");', 'for (;;) {}');
    const out = join(folder, 'stopped');
    const controller = new AbortController();
    const code = await dispatch(['run', file, '--out', out], controller.signal, {
      stdout: () => undefined,
      stderr: (text) => void (text.includes('cell 2 of 2') && setTimeout(() => controller.abort(), 300)),
    });
    expect(code).toBe(130);
    const saved = readNotebook(join(out, 'endless.ipynb'));
    expect(saved.cells[0].outputs).toMatchObject([{ text: 'first\n' }]);
    expect(saved.cells[1].outputs).toMatchObject([{ output_type: 'error', ename: 'CellInterrupted' }]);
    expect(saved.metadata).toMatchObject({
      kernelspec: { name: 'assay' },
      assay: { run: { status: 'interrupted' } },
    });
  });
});
