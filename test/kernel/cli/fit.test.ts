import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { mayShow } from '../../../kernel/cli/fit.js';
import { dispatch } from '../../../kernel/cli/main.js';
import { laws } from '../../../lib/families/scaling-laws/index.js';
import { findData, listManifests, loadBytes } from '../../../lib/tasks/manifest.js';
import { planted } from '../../families/scaling-laws-planted.js';
import { temporaryFolder } from '../../tasks/temporary.js';

let folder: string;
let table: string;
const noisy = planted('chinchilla', 0.004, 3);

function write(header: string, rows: readonly (readonly (number | string)[])[]): string {
  const path = join(folder, 'my runs.csv');
  writeFileSync(path, [header, ...rows.map((row) => row.join(','))].join('\n'));
  return path;
}

async function assay(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const answer = { code: 0, stdout: '', stderr: '' };
  answer.code = await dispatch(['fit', ...args], new AbortController().signal, {
    stdout: (text) => void (answer.stdout += text),
    stderr: (text) => void (answer.stderr += text),
  });
  return answer;
}

beforeEach(() => {
  folder = temporaryFolder();
  table = write(
    'Params,Training Tokens,val_loss,kind',
    Array.from(noisy.n, (n, i) => [n, noisy.d[i], noisy.loss[i], i % 2 ? 'odd' : 'even']),
  );
});

interface Report {
  law: string;
  parameters: Record<string, number | null>;
  intervals: Record<string, { low: number; high: number }>;
  converged: boolean;
  stopReason: string;
  flags: { code: string }[];
  figure: string;
  pointsInFigure: boolean;
  columns: Record<string, string>;
  optimum: { n: { low: number; high: number } }[];
  holdout: { law: string; rms: number }[];
  predictions: unknown[];
  profiles: unknown[];
  coverage: { trials: number } | null;
  points: number;
}

describe('assay fit', () => {
  it('finds the columns by their names and prints one document with everything scripts rely on', async () => {
    const { code, stdout, stderr } = await assay(
      table,
      ...'--law chinchilla --bootstrap 40 --holdout 0.2 --compare kaplan-nd --budget 5.76e23 --profile E --coverage 1'.split(
        ' ',
      ),
      ...'--predict n=7e10,d=1.4e12 --workers 1 --json --out'.split(' '),
      folder,
    );
    expect(stderr).not.toMatch(/assay fit:/);
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as Report;
    expect(report).toMatchObject({
      law: 'chinchilla',
      converged: true,
      pointsInFigure: true,
      columns: { n: 'Params', d: 'Training Tokens', loss: 'val_loss' },
      coverage: { trials: 1 },
    });
    for (const key of ['objective', 'stopReason', 'flags', 'gradientNorm', 'starts', 'bootstrap', 'residual'])
      expect(report).toHaveProperty(key);
    for (const key of ['theta', 'draws', 'data']) expect(report).not.toHaveProperty(key);
    expect(report.intervals.E.low).toBeLessThan(1.8172);
    expect(report.intervals.E.high).toBeGreaterThan(1.8172);
    expect(report.holdout.map(({ law }) => law)).toEqual(['chinchilla', 'kaplan-nd']);
    expect([report.optimum.length, report.predictions.length, report.profiles.length]).toEqual([1, 1, 1]);
    const figure = join(folder, 'my runs.chinchilla.svg');
    expect(readFileSync(figure, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  });

  it('prints a table, the figure’s place and every flag for people', async () => {
    const { code, stdout } = await assay(
      table,
      '--law',
      'power-offset-n',
      '--bootstrap',
      '0',
      '--out',
      folder,
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/power-offset-n: 72 runs \(n from "Params"/);
    expect(stdout).toMatch(/E +\d/);
    expect(stdout).toMatch(/alpha +not identified/);
    expect(stdout).toMatch(/! .*alpha is anywhere from/);
    expect(stdout).toMatch(/Figure .*svg/);
  });

  it('takes named columns, units, rows by a text, and drops the highest', async () => {
    const path = write(
      'size_b,toks,l1,l2,set',
      Array.from(noisy.n, (n, i) => [n / 1e9, noisy.d[i], noisy.loss[i], 99, i < 60 ? 'a' : 'b']),
    );
    const args = [
      path,
      '--law',
      'chinchilla',
      '--columns',
      'n=size_b,d=toks',
      '--columns',
      'loss=l1',
      '--json',
      '--bootstrap',
      '0',
      '--out',
      folder,
      '--workers',
      '1',
    ];
    const refused = await assay(...args);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { name: 'FitError' } });
    expect(refused.stderr).toMatch(/column n must .*units n=1e6 or n=1e9/);
    const done = await assay(...args, '--units', 'n=1e9', '--where', 'set=a', '--drop-highest', '2');
    expect(done.code).toBe(0);
    expect((JSON.parse(done.stdout) as Report).points).toBe(58);
  });

  it('asks which column is meant when several could be, and which is missing', async () => {
    const two = write('n,params,d,loss', [[1, 2, 3, 4]]);
    expect((await assay(two, '--law', 'chinchilla')).stderr).toMatch(
      /got n, params; say which with --columns n=/,
    );
    const none = write('a,b', [[1, 2]]);
    expect((await assay(none, '--law', 'chinchilla')).stderr).toMatch(/columns n .*must be found, got a, b/);
    const text = write('n,d,loss', [[1e9, 2e10, 'NaN']]);
    expect((await assay(text, '--law', 'chinchilla')).stderr).toMatch(
      /loss must hold numbers, got "NaN" at line 2/,
    );
  });

  it.each([
    [[], /needs one table/],
    [['runs.csv', '--law', 'chinchilla'], /must be a file or the name of a data set/],
    [['TABLE'], /needs --law/],
    [['TABLE', '--law', 'nothing'], /--law must be one of .*chinchilla/],
    [['TABLE', '--law', 'chinchilla', '--holdout', '2'], /--holdout must lie between 0 and 1/],
    [['TABLE', '--law', 'chinchilla', '--bootstrap', '1.5'], /--bootstrap must be a whole number/],
    [['TABLE', '--law', 'chinchilla', '--units', 'n=-1'], /--units n must be a number above 0/],
    [['TABLE', '--law', 'chinchilla', '--columns', 'n'], /--columns must be NAME=VALUE/],
    [['TABLE', '--law', 'chinchilla', '--compare', 'kaplan-nd'], /--compare needs --holdout/],
    [
      ['TABLE', '--law', 'chinchilla', '--budget', '1e23', '--bootstrap', '0'],
      /--budget must have --bootstrap/,
    ],
    [['TABLE', '--law', 'chinchilla', '--starts', 'many'], /--starts must be one of default, grid/],
    [['TABLE', '--law', 'chinchilla', '--wrong'], /Unknown option/],
  ])('is wrong use with %j', async (args, message) => {
    const { code, stderr } = await assay(...args.map((arg) => (arg === 'TABLE' ? table : arg)));
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('lists every law with its columns', async () => {
    const { stdout } = await assay('--list', '--json');
    const listed = JSON.parse(stdout) as { id: string; columns: { name: string; unit: string }[] }[];
    expect(listed.map(({ id }) => id)).toEqual(laws().map(({ id }) => id));
    expect((await assay('--list')).stdout).toMatch(/chinchilla +loss by size and tokens/);
  });
});

const here = await findData('chinchilla-points').catch(() => undefined);

describe('data that must not be handed on', () => {
  it('is told by its bytes', () => {
    const bytes = readFileSync(table);
    expect(mayShow(bytes)).toBe(true);
    const closed = listManifests().filter(({ redistribute }) => !redistribute);
    expect(closed.map(({ name }) => name)).toContain('chinchilla-points');
    expect(closed.map(({ sha256 }) => sha256)).not.toContain(
      createHash('sha256').update(bytes).digest('hex'),
    );
  });

  it.skipIf(!here)('is fitted by name and drawn without its points (needs the data set)', async () => {
    expect(mayShow(await loadBytes('chinchilla-points'))).toBe(false);
    const { stdout, code } = await assay(
      ...'chinchilla-points --law chinchilla --drop-highest 5 --bootstrap 0 --json --workers 1 --out'.split(
        ' ',
      ),
      folder,
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ points: 240, pointsInFigure: false });
    const figure = join(folder, 'chinchilla-points.chinchilla.svg');
    expect(existsSync(figure)).toBe(true);
    expect(readFileSync(figure, 'utf8').split('<circle').length - 1).toBeLessThan(40);
  });
});
