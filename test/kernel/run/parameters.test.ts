import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sourceOf, type Notebook } from '../../../kernel/run/notebook.js';
import { parseAssignment, readParameterFile } from '../../../kernel/run/parameter-files.js';
import { checkedParameters, declaredParameters, injectParameters } from '../../../kernel/run/parameters.js';

const notebook = (source: string, ...rest: string[]): Notebook => ({
  cells: [
    { cell_type: 'markdown', source: 'title', metadata: {} },
    { cell_type: 'code', source, metadata: { tags: ['parameters'] } },
    ...rest.map((text) => ({ cell_type: 'code' as const, source: text, metadata: {} })),
  ],
  metadata: {},
  nbformat: 4,
  nbformat_minor: 5,
});
const SOURCE = `const steps = 100;
let rate: number = -0.5, form: 'chunk' | 'scan' = 'chunk';
const name = \`run\`, quick = false;
const sizes = [1, 2];
function helper() { const inner = 1; return inner; }`;
const declared = declaredParameters(notebook(SOURCE));

describe('the cell tagged "parameters"', () => {
  it('declares the variables of its top level with their kinds', () => {
    expect(declared.map(({ name, kind, keyword }) => [name, kind, keyword])).toEqual([
      ['steps', 'number', 'const'],
      ['rate', 'number', 'let'],
      ['form', 'string', 'let'],
      ['name', 'string', 'const'],
      ['quick', 'boolean', 'const'],
      ['sizes', 'other', 'const'],
    ]);
  });

  it('is the only one that declares', () => {
    const untagged = notebook('const a = 1;', 'const b = 2;');
    expect(declaredParameters(untagged).map(({ name }) => name)).toEqual(['a']);
  });
});

describe('parameters of a run', () => {
  const check = (given: Record<string, string>): unknown =>
    checkedParameters(
      declared,
      Object.fromEntries(Object.entries(given).map(([name, text]) => [name, { text }])),
      'n.ipynb',
    );

  it('are read as what the notebook declares', () => {
    expect(check({ steps: '2e3', form: 'scan', name: '007', quick: 'true', sizes: '[3]' })).toEqual({
      steps: 2000,
      form: 'scan',
      name: '007',
      quick: true,
      sizes: [3],
    });
  });

  it('that are not declared are refused with the names that are', () => {
    expect(() => check({ stepz: '1' })).toThrow(
      'n.ipynb: parameter stepz must be one of those that the cell tagged "parameters" declares (steps, rate, form, name, quick, sizes)',
    );
    expect(() => checkedParameters([], { a: { text: '1' } }, 'n.ipynb')).toThrow(/no cell is tagged/);
  });

  it.each([
    [{ steps: 'many' }, /steps must be a number, got "many"/],
    [{ steps: '' }, /steps must be a number/],
    [{ quick: '1' }, /quick must be true or false/],
  ])('%j of another kind are refused', (given, message) => {
    expect(() => check(given)).toThrow(message);
  });

  it('of JSON must be of the kind too', () => {
    expect(() => checkedParameters(declared, { steps: { value: '5' } }, 'n')).toThrow(
      /steps must be a number, got "5"/,
    );
    expect(checkedParameters(declared, { sizes: { value: { a: 1 } } }, 'n')).toEqual({ sizes: { a: 1 } });
  });

  it('are set in one cell behind the tagged one, with the notebook’s own types', () => {
    const values = { form: 'scan', steps: 7, sizes: [1, 'x'] };
    const injected = injectParameters(notebook(SOURCE, 'after'), declared, values);
    expect(injected.cells.map((cell) => cell.metadata.tags)).toEqual([
      undefined,
      ['parameters'],
      ['injected-parameters'],
      undefined,
    ]);
    expect(sourceOf(injected.cells[2])).toBe(
      `const steps = 7;\nlet form: 'chunk' | 'scan' = "scan";\nconst sizes = [1,"x"];`,
    );
    expect(injectParameters(injected, declared, { steps: 8 }).cells).toHaveLength(4);
  });
});

describe('files of parameter sets', () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'assay parameters '))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it('are one object, a list of objects, or a table', () => {
    expect(readParameterFile(file('one.json', '{"a": 1}'))).toEqual([{ a: { value: 1 } }]);
    expect(readParameterFile(file('list.json', '[{"a": 1}, {"a": 2, "b": "x"}]'))).toHaveLength(2);
    expect(readParameterFile(file('table.csv', 'a,b\n1,"x,y"\n2,\n'))).toEqual([
      { a: { text: '1' }, b: { text: 'x,y' } },
      { a: { text: '2' } },
    ]);
  });

  it.each([
    ['a.yaml', 'a: 1', /must end in \.json, \.csv or \.tsv/],
    ['a.json', '[', /must be JSON/],
    ['b.json', '[]', /must hold parameter sets/],
    ['c.json', '[{"a": 1}, 2]', /got 2 at place 2/],
    ['a.csv', 'a,b\n', /must hold a header and a row/],
  ])('%s that says %j is refused', (name, content, message) => {
    expect(() => readParameterFile(file(name, content))).toThrow(message);
  });

  it('are named when they are not there', () => {
    expect(() => readParameterFile(join(folder, 'none.json'))).toThrow(/none\.json cannot be read/);
  });

  it('are completed by name=value, split at the first sign', () => {
    expect(parseAssignment('a=b=c')).toEqual(['a', { text: 'b=c' }]);
    expect(() => parseAssignment('=1')).toThrow(/must be name=value/);
  });
});
