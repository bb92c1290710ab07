import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { childFile, poolExecutor, taskFolder, type PoolOptions } from '../../../kernel/reproduce/pool.js';
import { loadPaper } from '../../../kernel/reproduce/load-paper.js';
import type { ExperimentEvent, Part, Task } from '../../../lib/papers/index.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const fixture = fileURLToPath(new URL('./fixture-paper.ts', import.meta.url));
const built = existsSync(childFile(root));

let folder: string;
let options: PoolOptions;
let part: Part;
const events: ExperimentEvent[] = [];
const report = (event: ExperimentEvent) => void events.push(event);
const task = (id: string, inputs: Task['inputs'] = {}): Task => ({ id, inputs: { id, ...inputs } });
const run = { probing: false };

beforeEach(async () => {
  // A path with a space and an umlaut, as people have.
  folder = mkdtempSync(join(tmpdir(), 'läufe und mehr '));
  events.length = 0;
  const setup = {
    size: 'smoke' as const,
    backend: 'cpu' as const,
    text: 'generated' as const,
    cache: folder,
  };
  options = { root, paper: fixture, experiment: 'working', setup, folder, depends: 'code', workers: 2 };
  part = (await loadPaper(fixture, root)).experiments[0].parts(undefined as never)[0];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(!built)('tasks in processes of their own (needs the build: node kernel/build.mjs)', () => {
  it('run side by side and give their results in the order of the tasks', async () => {
    const done = await poolExecutor(options)(
      part,
      [task('a', { milliseconds: 300 }), task('b'), task('c')],
      report,
      run,
    );
    expect(done.map(({ result }) => (result as { id: string }).id)).toEqual(['a', 'b', 'c']);
    const pids = new Set(done.map(({ result }) => (result as { pid: number }).pid));
    expect(pids.size).toBe(3);
    expect(pids.has(process.pid)).toBe(false);
  });

  it('are not done again once finished, unless asked for', async () => {
    const first = await poolExecutor(options)(part, [task('a')], report, run);
    const again = await poolExecutor(options)(part, [task('a')], report, run);
    expect(again).toEqual(first);
    expect(events.at(-1)).toMatchObject({ kind: 'done', resumed: true });
    const fresh = await poolExecutor({ ...options, fresh: true })(part, [task('a')], report, run);
    expect(fresh).not.toEqual(first);
  });

  it('save their state when cancelled, and the run reports the interruption', async () => {
    const controller = new AbortController();
    const waiting = task('a', { does: 'wait' });
    const running = poolExecutor(options)(
      part,
      [waiting],
      (event) => event.kind === 'progress' && controller.abort(),
      { ...run, signal: controller.signal },
    );
    await expect(running).rejects.toMatchObject({ name: 'CancelledError' });
    const kept = taskFolder('work', waiting, options);
    expect(readFileSync(join(kept, 'checkpoint.safetensors'), 'utf8')).toBe('half done');
    expect(existsSync(join(kept, 'result.json'))).toBe(false);
    expect(readdirSync(kept).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  it('that fail stop the others and say why', async () => {
    const tasks = [task('a', { does: 'wait' }), task('b', { does: 'fail' })];
    await expect(poolExecutor(options)(part, tasks, report, run)).rejects.toMatchObject({
      name: 'RangeError',
      message: 'b cannot be done',
    });
  });

  it('that crash are named, with advice', async () => {
    await expect(poolExecutor(options)(part, [task('a', { does: 'crash' })], report, run)).rejects.toThrow(
      /a must finish, got exit code 3; run the same command again/,
    );
  });

  it('asked for by two runs at once are done once', async () => {
    const log = join(folder, 'log');
    const same = [task('a', { milliseconds: 700, log })];
    const [one, two] = await Promise.all([1, 2].map(() => poolExecutor(options)(part, same, report, run)));
    expect(one).toEqual(two);
    expect(readFileSync(log, 'utf8')).toBe('a\n');
  });

  it('whose result file is damaged are an error, not a wrong number', async () => {
    await poolExecutor(options)(part, [task('a')], report, run);
    writeFileSync(join(taskFolder('work', task('a'), options), 'result.json'), '{"resu');
    await expect(poolExecutor(options)(part, [task('a')], report, run)).rejects.toThrow(
      /must be a finished task/,
    );
  });
});

describe('the folder of a task', () => {
  it('changes with the work, the code and the data, and with nothing else', () => {
    const at = taskFolder('work', task('a'), options);
    expect(taskFolder('work', task('a'), { ...options })).toBe(at);
    expect(taskFolder('work', task('a', { rate: 1 }), options)).not.toBe(at);
    expect(taskFolder('work', task('a'), { ...options, depends: 'other code' })).not.toBe(at);
    expect(taskFolder('work', task('a'), { ...options, experiment: 'other' })).not.toBe(at);
  });
});

describe('loadPaper', () => {
  it('names the papers there are, and what is wrong with a file', async () => {
    await expect(loadPaper('mambo', root)).rejects.toThrow(
      /one of .*bigmac, .*mamba, .* or the path of a file, got "mambo"/,
    );
    await expect(loadPaper('./nothing.ts', root)).rejects.toThrow(/must be a file, got none/);
    const file = join(folder, 'empty.mjs');
    writeFileSync(file, 'export const claims = [];');
    await expect(loadPaper(file, root)).rejects.toThrow(/must export a paper/);
  });
});
