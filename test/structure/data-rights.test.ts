/** Data whose manifest forbids handing it on stays out of the project: no copy, no part, no table of its points. */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { findData, listManifests, loadBytes } from '../../lib/tasks/manifest.js';
import { projectFiles, read } from './support.js';

const files = projectFiles().filter((p) => !/\.(png|wasm|safetensors|bin|gz)$/.test(p));
const closed = listManifests().filter(({ redistribute }) => !redistribute);

/** Numbers of a text in order, rounded to four digits: rounding and reformatting do not hide a copy. */
function numbersOf(source: string): string[] {
  return (source.match(/\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g) ?? [])
    .filter((n) => n.replace(/\D/g, '').replace(/^0+/, '').length >= 4)
    .map((n) => Number(n).toPrecision(4));
}

/** Four numbers in a row: chance makes single numbers agree, hardly ever four; one number repeated tells nothing. */
function runsOf(numbers: readonly string[]): string[] {
  return numbers
    .slice(3)
    .map((_, i) => numbers.slice(i, i + 4))
    .filter((four) => new Set(four).size > 1)
    .map((four) => four.join(' '));
}

/** Runs along the rows and down the columns of a table. */
function fingerprint(table: string): Set<string> {
  const rows = table.split(/\r?\n/).map((line) => line.split(/[,;\t]/));
  const columns = rows[0].map((_, at) => rows.map((row) => row[at] ?? '').join(' '));
  return new Set([table, ...columns].flatMap((part) => runsOf(numbersOf(part))));
}

async function textOf(name: string): Promise<string> {
  const bytes = await loadBytes(name);
  return new TextDecoder().decode(bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);
}

describe('data sets', () => {
  it('are not part of the project, whatever their licence', () => {
    const hashes = new Map(listManifests().map(({ name, sha256 }) => [sha256, name]));
    const copies = files
      .map((path) => [path, hashes.get(createHash('sha256').update(read(path)).digest('hex'))])
      .filter(([, name]) => name !== undefined);
    expect(copies).toEqual([]);
  });

  it('that must not be handed on are known, and say under which licence they stand', () => {
    expect(closed.map(({ name }) => name)).toContain('chinchilla-points');
    expect(closed.filter(({ licence }) => licence === '')).toEqual([]);
  });
});

for (const { name } of closed) {
  const here = await findData(name).catch(() => undefined);

  describe.skipIf(!here)(
    `numbers of ${name} (need the data set: ASSAY_DATA, or \`assay data pull ${name}\`)`,
    () => {
      it('stand in no file of the project, recorded runs, figures and notebooks included', async () => {
        const own = fingerprint(await textOf(name));
        expect(own.size).toBeGreaterThan(200);
        const holders = files.filter(
          (path) => runsOf(numbersOf(read(path))).filter((run) => own.has(run)).length > 2,
        );
        expect(holders).toEqual([]);
      });

      it('would be found if eight values of a column or three rows were copied and rounded', async () => {
        const table = await textOf(name);
        const own = fingerprint(table);
        const found = (text: string): number => runsOf(numbersOf(text)).filter((run) => own.has(run)).length;
        const rows = table
          .split(/\r?\n/)
          .slice(100, 108)
          .map((line) => line.split(','));
        const last = rows.map((row) => Number(row[row.length - 1]).toPrecision(5));
        expect(found(JSON.stringify({ y: last }))).toBeGreaterThan(2);
        expect(
          found(
            rows
              .slice(0, 3)
              .map((row) => row.join(' | '))
              .join('\n'),
          ),
        ).toBeGreaterThan(2);
      });
    },
  );
}
