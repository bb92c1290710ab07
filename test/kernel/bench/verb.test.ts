import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { BenchDocument } from '../../../kernel/bench/tables.js';
import { verb } from '../../../kernel/cli/bench.js';
import { UsageError } from '../../../kernel/cli/verb.js';

const folder = mkdtempSync(join(tmpdir(), 'assay bench ü '));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function bench(...args: string[]): Promise<{ code: number; out: string[]; document?: BenchDocument }> {
  const out: string[] = [];
  let document: BenchDocument | undefined;
  const code = await verb.run(args, {
    signal: new AbortController().signal,
    root: fileURLToPath(new URL('../../../', import.meta.url)),
    out: (text) => out.push(text),
    json: (made) => (document = made as BenchDocument),
    progress: () => undefined,
  });
  return { code, out, ...(document ? { document } : {}) };
}

describe('assay bench --sweep', () => {
  it('prints one document that later becomes text, Markdown and a section of a page', async () => {
    const filter = 'selective-scan recurrent wasm forward B=1 T=256 D=64 ';
    const { code, document } = await bench(filter, '--sweep', '--threads', '1', '--json');
    expect(code).toBe(0);
    expect(document!.red).toEqual([]);
    const timed = document!.results.filter((row) => row.op !== 'copy');
    expect(timed.map((row) => [row.form, row.direction, row.dims['T']])).toEqual([
      ['recurrent', 'forward', 256],
    ]);
    const file = join(folder, 'run.json');
    writeFileSync(file, JSON.stringify(document));
    expect((await bench('--from', file)).out.join('\n')).toContain(
      'selective-scan recurrent wasm x1 forward',
    );
    const [section] = (await bench('--from', file, '--markdown')).out;
    expect(section).toMatch(/\| T \| wasm recurrent \|/);
    const page = join(folder, 'page.md');
    writeFileSync(page, 'a\n<!-- assay bench -->\n<!-- /assay bench -->\nb\n');
    await bench('--from', file, '--into', page);
    expect(readFileSync(page, 'utf8')).toContain(section);
  }, 120_000);

  it('has a section for its figures in the written page', () => {
    const page = fileURLToPath(new URL('../../../docs/benchmarks.md', import.meta.url));
    expect(readFileSync(page, 'utf8')).toMatch(/<!-- assay bench -->[^]*<!-- \/assay bench -->/);
  });

  it.each([
    ['nothing', undefined, /--from must be a file that --json printed, got .*nothing.json \(ENOENT/],
    ['half', '{', /--from must be a file that --json printed, got .*half.json \(/],
    ['empty', '{}', /\(it lacks results, slopes, ratios, notes, red\)/],
    ['null', 'null', /\(it lacks results/],
  ])('refuses a file that holds %s', async (name, text, message) => {
    const file = join(folder, `${name}.json`);
    if (text !== undefined) writeFileSync(file, text);
    const answer = bench('--from', file);
    await expect(answer).rejects.toThrow(UsageError);
    await expect(answer).rejects.toThrow(message);
  });

  it.each([
    [['x', '--opponents'], /--opponents needs --sweep/],
    [['--into', 'page.md'], /--into needs --from/],
    [['--max-seconds', '2'], /--max-seconds needs --sweep/],
    [['--from', 'run.json', '--sweep'], /--from measures nothing/],
    [['--sweep', '--max-seconds', '0'], /--max-seconds must be a number above 0/],
    [['--sweep', '--threads', 'many'], /--threads must be positive integers/],
    [['nothing-of-this-name', '--sweep', '--threads', '1'], /FILTER must match a row/],
  ])(
    'refuses %j',
    async (args, message) => {
      const answer = bench(...args);
      await expect(answer).rejects.toThrow(UsageError);
      await expect(answer).rejects.toThrow(message);
    },
    120_000,
  );
});
