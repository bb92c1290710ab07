import { describe, expect, it } from 'vitest';
import { columns, plain, visible } from '../../../kernel/display/ansi.js';
import { codeFrame } from '../../../kernel/display/code-frame.js';

const text = ['const a = 1;', 'const b: string = a;', 'f(', '  a,', '  b);', 'end();'].join('\n');
const frame = (options: Partial<Parameters<typeof codeFrame>[0]>): string =>
  plain(codeFrame({ file: 'cell-3.ts', text, line: 2, ...options }));

describe('codeFrame', () => {
  it('names the place and the message and puts carets under the columns', () => {
    expect(frame({ column: 7, length: 1, label: 'error TS2322', message: 'no string' })).toBe(
      [
        'cell-3.ts:2:7 - error TS2322: no string',
        '  1 | const a = 1;',
        '> 2 | const b: string = a;',
        '    |       ^',
        '  3 | f(',
        '  4 |   a,',
      ].join('\n'),
    );
  });

  it('underlines a place over several lines without their indentation', () => {
    const lines = frame({ line: 3, column: 1, length: 13 }).split('\n');
    expect(lines).toContain('    | ^^');
    expect(lines.filter((line) => line.endsWith('|   ^^'))).toHaveLength(1);
    expect(lines.filter((line) => line.endsWith('|   ^^^'))).toHaveLength(1);
  });

  it('puts a caret behind the end of a line that is too short', () => {
    expect(frame({ line: 6, column: 99 })).toMatch(/> 6 \| end\(\);\n {4}\| {7}\^$/);
  });

  it('marks the whole line when there is no column', () => {
    expect(frame({ line: 1 })).toBe('cell-3.ts:1\n> 1 | const a = 1;\n  2 | const b: string = a;\n  3 | f(');
  });

  it('aligns carets under tabs and wide characters', () => {
    const out = frame({ text: '\t名 = "😀" + x', line: 1, column: 13 });
    expect(out.split('\n').at(-1)).toBe('    | \t' + ' '.repeat(columns('名 = "😀" + ')) + '^');
    expect(columns('名é😀')).toBe(5);
  });

  it('shows of a very long line the part with the mark', () => {
    const long = `${'x'.repeat(5000)}BAD${'y'.repeat(5000)}`;
    const [, source, caret] = frame({ text: long, line: 1, column: 5001, length: 3 }).split('\n');
    expect(source.length).toBeLessThan(200);
    expect(source.slice(caret.indexOf('^'), caret.indexOf('^') + 3)).toBe('BAD');
  });

  it('says only the place when the line is not in the text, and adds notes', () => {
    expect(frame({ line: 99, column: 1, notes: ['a was declared here\nagain'] })).toBe(
      'cell-3.ts:99:1\n  a was declared here\n  again',
    );
  });

  it('makes control characters of the source visible instead of obeying them', () => {
    expect(frame({ text: 'a\u001b[31mb', line: 1 })).toContain('a␛[31mb');
    expect(visible('\u0000\u007f\t')).toBe('␀␡\t');
  });

  it('colours and leaves colours out', () => {
    expect(codeFrame({ file: 'a', text, line: 1 })).toContain('\u001b[31m');
    expect(codeFrame({ file: 'a', text, line: 1, colour: false })).not.toContain('\u001b');
  });
});
