import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../lib/core/errors.js';
import { numberColumn, parseCsv } from '../../lib/tasks/csv.js';

describe('parseCsv', () => {
  it('reads quotes, line ends of both kinds, a byte order mark and empty lines', () => {
    const table = parseCsv('\ufeffname, "a ""b"", c" ,n\r\nx,"two\nlines",1\r\n\r\n y ,"", 2.5e3');
    expect(table.header).toEqual(['name', 'a "b", c', 'n']);
    expect(table.rows).toEqual([
      ['x', 'two\nlines', '1'],
      ['y', '', '2.5e3'],
    ]);
    expect(table.lines).toEqual([2, 5]);
  });

  it('gives back any table that was quoted', () => {
    const cell = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 6 }), (rows) => {
        const quote = (text: string): string => `"${text.replace(/"/g, '""')}"`;
        const text = ['a,b', ...rows.map((row) => row.map(quote).join(','))].join('\n');
        expect(parseCsv(text).rows).toEqual(rows);
      }),
    );
  });

  it('refuses what is not a table, and says where', () => {
    expect(() => parseCsv('')).toThrow(DataError);
    expect(() => parseCsv('a,b\n')).toThrow(/header and a row/);
    expect(() => parseCsv('a,b\n1,2\n3\n')).toThrow(/line 3 must have 2 cells, got 1/);
    expect(() => parseCsv('a,a\n1,2')).toThrow(/column 2 must have a name of its own/);
    expect(() => parseCsv('a,b\n1,"2')).toThrow(/quote of the row at line 2 must be closed/);
  });
});

describe('numberColumn', () => {
  const table = parseCsv('n,loss\n1e9,2.5\n2e9,\n3e9,abc');

  it('reads numbers and says where a cell is none', () => {
    expect([...numberColumn(table, 'n')]).toEqual([1e9, 2e9, 3e9]);
    expect(() => numberColumn(table, 'loss')).toThrow(/loss must hold numbers, got "" at line 3/);
    expect(() => numberColumn(table, 'size')).toThrow(/column must be one of n, loss, got "size"/);
  });
});
