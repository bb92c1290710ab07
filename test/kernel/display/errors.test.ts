import { describe, expect, it } from 'vitest';
import { plain } from '../../../kernel/display/ansi.js';
import {
  errorMessage,
  errorName,
  errorTitle,
  formatErrorText,
  frameText,
  parseFrame,
  parseStack,
} from '../../../kernel/display/errors.js';

const shown = (error: unknown, options: Parameters<typeof formatErrorText>[1] = {}): string =>
  plain(formatErrorText(error, options));

describe('formatErrorText', () => {
  it('shows name, message, frames and properties', () => {
    const error = Object.assign(new RangeError('too far'), { code: 'E_FAR' });
    const lines = shown(error).split('\n');
    expect(lines[0]).toBe('RangeError: too far');
    expect(lines[1]).toMatch(/^ {4}at /);
    expect(lines).toContain("  code: 'E_FAR'");
  });

  it('indents the chain of causes', () => {
    const error = new Error('outer', { cause: new TypeError('middle', { cause: 'plain words' }) });
    const text = shown(error, { mapFrame: () => undefined });
    expect(text).toBe('Error: outer\n  caused by TypeError: middle\n    caused by plain words');
  });

  it('ends chains of causes that are circles', () => {
    const one = new Error('one');
    const two = new Error('two', { cause: one });
    one.cause = two;
    expect(shown(one)).toMatch(/one[^]*caused by Error: two[^]*caused by Error: one \(shown above/);
  });

  it('bounds endless chains and large aggregates', () => {
    let error = new Error('deepest');
    for (let i = 0; i < 100; i++) error = new Error(`level ${i}`, { cause: error });
    const text = shown(error, { mapFrame: () => undefined });
    expect(text.split('\n').length).toBeLessThan(20);
    expect(text).toContain('further causes are left out');
    const many = new AggregateError(Array.from({ length: 50 }, (_, i) => new Error(`member ${i}`)));
    expect(shown(many, { mapFrame: () => undefined })).toMatch(/1 of 50: Error: member 0[^]*40 more errors/);
  });

  it('names the class of an error that forgot its name', () => {
    class ShapeMismatch extends Error {}
    class LoadError extends Error {}
    expect(errorName(new LoadError('x'))).toBe('LoadError');
    expect(errorName(new ShapeMismatch('x'))).toBe('Error');
  });

  it('keeps lines of the message that look like frames out of the frames', () => {
    const error = new Error('first\n    at fake (no.ts:1:1)');
    expect(parseStack(error).frames.every((frame) => frame.file !== 'no.ts')).toBe(true);
  });

  it('maps frames, leaves out those mapped to nothing, and survives a mapper that throws', () => {
    const error = new Error('x');
    error.stack = 'Error: x\n    at f (cell.js:10:5)\n    at node:internal/main:1:1';
    const mapFrame = (frame: { file?: string }) =>
      frame.file === 'cell.js' ? { call: 'f', file: 'cell-1.ts', line: 2, column: 3 } : undefined;
    expect(shown(error, { mapFrame })).toBe('Error: x\n    at f (cell-1.ts:2:3)');
    const broken = shown(error, {
      mapFrame: () => {
        throw new Error('mapper');
      },
    });
    expect(broken).toContain('at f (cell.js:10:5)');
  });

  it('quotes the source of the first frame whose source is known', () => {
    const error = new Error('x');
    error.stack = 'Error: x\n    at lib (node:fs:1:1)\n    at f (cell-1.ts:2:7)';
    const text = shown(error, { source: (file) => (file === 'cell-1.ts' ? 'a\nthrow boom' : undefined) });
    expect(text).toContain('cell-1.ts:2:7\n  1 | a\n> 2 | throw boom\n    |       ^');
  });

  it('takes whatever was thrown', () => {
    expect(shown('words')).toBe('Uncaught: words');
    expect(shown(undefined)).toBe('Uncaught: undefined');
    expect(shown({ a: 1 })).toBe('Uncaught: { a: 1 }');
    expect(errorName(null)).toBe('null');
    const proxy = new Proxy(new Error('p'), {
      get() {
        throw new Error('trap');
      },
    });
    expect(() => shown(proxy)).not.toThrow();
    const hostile = new Error('x');
    for (const key of ['stack', 'message', 'name', 'cause', 'errors', 'extra'])
      Object.defineProperty(hostile, key, {
        enumerable: true,
        get() {
          throw new Error('getter');
        },
      });
    expect(() => shown(hostile)).not.toThrow();
  });

  it('shortens a message of megabytes and hides escape sequences in it', () => {
    expect(errorMessage(new Error('m'.repeat(5e6))).length).toBeLessThan(30_000);
    expect(errorTitle(new Error('\u001b[2J'))).toBe('Error: ␛[2J');
  });
});

describe('parseFrame', () => {
  it('reads every kind of frame and writes it back', () => {
    const lines = [
      'at f (cell-1.ts:2:3)',
      'at async g (file:///a/b.ts?v=1:20:30)',
      'at cell-1.ts:1:1',
      'at async cell-1.ts:4:1',
      'at new Foo (C:\\x\\y.ts:1:2)',
      'at async Promise.all (index 0)',
    ];
    for (const line of lines) expect(frameText(parseFrame(`    ${line}`)!)).toBe(line);
    expect(parseFrame('Error: no frame')).toBeUndefined();
  });
});
