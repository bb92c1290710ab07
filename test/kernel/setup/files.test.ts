import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../../kernel/setup/lock.mjs';
import { copyNotebooks } from '../../../kernel/setup/notebooks.mjs';
import { summary } from '../../../kernel/setup/tests.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assay ü '));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const notebook = (source: string, outputs: unknown[] = []): string =>
  JSON.stringify({
    cells: [{ cell_type: 'code', source, outputs, metadata: {} }],
    nbformat: 4,
    nbformat_minor: 5,
  });

describe('copies of notebooks', () => {
  const said: string[] = [];
  const copy = (): Record<string, string> => {
    const paths = {
      notebooks: join(folder, 'notebooks'),
      my: join(folder, 'my'),
      notebooksRecord: join(folder, 'r.json'),
    };
    const done = copyNotebooks(paths, (text) => said.push(text));
    return Object.fromEntries(done.map(({ name, action }) => [name, action]));
  };
  const master = (text: string): void => writeFileSync(join(folder, 'notebooks', 'a.ipynb'), text);
  const mine = (text: string): void => writeFileSync(join(folder, 'my', 'a.ipynb'), text);
  const read = (name: string): string => readFileSync(join(folder, 'my', name), 'utf8');

  beforeEach(() => {
    said.length = 0;
    mkdirSync(join(folder, 'notebooks', 'course'), { recursive: true });
    master(notebook('1'));
    writeFileSync(join(folder, 'notebooks', 'course', 'b.ipynb'), notebook('b'));
    writeFileSync(join(folder, 'notebooks', '_template.ipynb'), notebook('t'));
  });

  it('are made once, in their folders, without templates', () => {
    expect(copy()).toEqual({ 'a.ipynb': 'create', 'course/b.ipynb': 'create' });
    expect(copy()).toEqual({ 'a.ipynb': 'same', 'course/b.ipynb': 'same' });
    expect(existsSync(join(folder, 'my', '_template.ipynb'))).toBe(false);
  });

  it('follow the master while nobody changed them', () => {
    copy();
    master(notebook('2'));
    expect(copy()['a.ipynb']).toBe('update');
    expect(read('a.ipynb')).toBe(notebook('2'));
    expect(existsSync(join(folder, 'my', 'a.previous.ipynb'))).toBe(false);
  });

  it('keep the outputs of a copy that was only run', () => {
    copy();
    mine(notebook('1', ['result']));
    master(notebook('2'));
    expect(copy()['a.ipynb']).toBe('update');
    expect(read('a.previous.ipynb')).toBe(notebook('1', ['result']));
  });

  it('stay as they are once a student changed them, and the newer master is told once', () => {
    copy();
    mine(notebook('mine'));
    expect(copy()['a.ipynb']).toBe('keep');
    expect(said).toEqual([]);
    master(notebook('2'));
    expect(copy()['a.ipynb']).toBe('keep');
    expect(copy()['a.ipynb']).toBe('keep');
    expect(read('a.ipynb')).toBe(notebook('mine'));
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/a\.ipynb is your own version and stays/);
  });
});

describe('the lock', () => {
  it('lets a second set-up wait until the first is done', async () => {
    const file = join(folder, '.assay', 'setup.lock');
    const said: string[] = [];
    const release = await takeLock(file, () => undefined);
    let second = false;
    const waiting = takeLock(file, (text) => said.push(text)).then((give) => {
      second = true;
      give();
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(second).toBe(false);
    expect(said[0]).toMatch(/another set-up \(process \d+\) is at work/);
    release();
    await waiting;
    expect(second).toBe(true);
    expect(existsSync(file)).toBe(false);
  });

  it('of a process that is gone is taken over', async () => {
    const file = join(folder, 'setup.lock');
    // Process ids end far below this one on every platform.
    writeFileSync(file, JSON.stringify({ pid: 2 ** 30, host: hostname() }));
    const release = await takeLock(file, () => undefined, 5);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: process.pid });
    release();
  });

  it('that is never given back ends the wait with what to do', async () => {
    const file = join(folder, 'setup.lock');
    const release = await takeLock(file, () => undefined);
    await expect(takeLock(file, () => undefined, 0)).rejects.toThrow(/end it or remove that file/);
    release();
  });
});

describe('the summary under a test run', () => {
  const results = {
    testResults: [
      {
        name: '/p/test/gpu/x.test.ts',
        startTime: 0,
        endTime: 9000,
        assertionResults: [
          { status: 'passed', fullName: 'a' },
          { status: 'skipped', fullName: 'b' },
        ],
      },
    ],
  };

  it('names the budget, what was skipped and why', () => {
    const lines = summary({
      results,
      seconds: 30,
      adapter: { found: false, reason: 'no driver' },
      lab: false,
    });
    expect(lines.join('\n')).toMatch(/30 s of a budget of 600 s/);
    expect(lines.join('\n')).toMatch(/GPU tests.*no driver/);
    expect(lines.join('\n')).toMatch(/Jupyter tests.*no \.venv/);
    expect(lines).toContain('skipped: gpu/x.test.ts: b');
  });

  it('says so when the budget is exceeded or no results came', () => {
    const lines = summary({ results: undefined, seconds: 700, adapter: { found: true }, lab: true });
    expect(lines.join('\n')).toMatch(/OVER BUDGET/);
    expect(lines.join('\n')).toMatch(/no results were written/);
  });
});
