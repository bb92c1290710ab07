/** Master notebooks: well-formed, without outputs, in step with the library, their library cells fit for stock tslab. */
import { posix } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { OWN_KERNEL_TAG, hasTag, sourceOf, type Notebook } from '../../kernel/run/notebook.js';
import { projectFiles, read, root } from '../structure/support.js';
import { cellTraps } from './traps.js';

const paths = projectFiles().filter((p) => /^notebooks\/(?!results\/).*\.ipynb$/.test(p));
const notebooks = paths.map((path) => ({ path, notebook: JSON.parse(read(path)) as Notebook }));

const codeOf = (notebook: Notebook, without: string[] = []): string[] =>
  notebook.cells.filter((cell) => cell.cell_type === 'code' && !hasTag(cell, ...without)).map(sourceOf);

/** The part of tslab's API that notebooks use; its own declarations are the same in these members. */
const TSLAB = `
  export interface Display { html(s: string): void; svg(s: string): void; markdown(s: string): void;
    raw(contentType: string, b: string | Uint8Array): any; }
  export declare const display: Display;
  export declare function newDisplay(): Display;`;

/** All cells of each notebook as one module, checked against the library's sources; messages by notebook. */
function typeErrors(): string[] {
  const config = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const virtual = new Map<string, string>([[`${root}notebooks/tslab.d.ts`, TSLAB]]);
  const modules = notebooks.map(({ path, notebook }) => {
    const file = `${root}${path.replace(/\.ipynb$/, '.check.mts')}`;
    const code = codeOf(notebook)
      .join('\n;\n')
      .replace(/from 'assay'/, "from '../lib/index.js'")
      .replace(/from 'assay\/notebook'/g, "from '../kernel/notebook/index.js'");
    virtual.set(file, code.replace(/from 'tslab'/, "from './tslab.js'"));
    return file;
  });
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (file) => virtual.has(file) || disk.fileExists(file),
    readFile: (file) => virtual.get(file) ?? disk.readFile(file),
    getSourceFile: (file, version, ...rest) => {
      const text = virtual.get(file);
      return text === undefined
        ? disk.getSourceFile(file, version, ...rest)
        : ts.createSourceFile(file, text, version, true);
    },
  };
  const loose = { ...options, noEmit: true, noUnusedLocals: false, noUnusedParameters: false };
  const program = ts.createProgram(modules, loose, host);
  return modules.flatMap((file) => {
    const source = program.getSourceFile(file);
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    return found.map(
      (d) => `${posix.basename(file)}: ${ts.flattenDiagnosticMessageText(d.messageText, ' ')}`,
    );
  });
}

describe('every master notebook', () => {
  it('exists: a start, a paper, a template', () => {
    expect(paths).toEqual(
      expect.arrayContaining(['notebooks/start.ipynb', 'notebooks/mamba.ipynb', 'notebooks/_template.ipynb']),
    );
  });

  it.each(notebooks)('$path is nbformat 4.5 for the kernel assay, with distinct cell ids', ({ notebook }) => {
    expect([notebook.nbformat, notebook.nbformat_minor]).toEqual([4, 5]);
    expect(notebook.metadata).toMatchObject({ kernelspec: { name: 'assay', language: 'typescript' } });
    const ids = notebook.cells.map((cell) => cell.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const cell of notebook.cells) {
      expect(cell.id).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
      expect(['code', 'markdown']).toContain(cell.cell_type);
      expect(sourceOf(cell).trim()).not.toBe('');
    }
  });

  it.each(notebooks)('$path holds no outputs and no execution counts', ({ notebook }) => {
    const run = notebook.cells.filter(
      (cell) => cell.cell_type === 'code' && (cell.outputs?.length !== 0 || cell.execution_count !== null),
    );
    expect(run.map((cell) => cell.id)).toEqual([]);
  });

  it.each(notebooks)('$path links only to files that exist', ({ path, notebook }) => {
    const text = notebook.cells
      .filter((cell) => cell.cell_type === 'markdown')
      .map(sourceOf)
      .join('\n');
    const targets = [...text.matchAll(/\]\(([^)\s#]+)/g)].map((m) => m[1]).filter((t) => !/^[a-z]+:/.test(t));
    const known = new Set(projectFiles());
    expect(targets.filter((t) => !known.has(posix.normalize(posix.join(posix.dirname(path), t))))).toEqual(
      [],
    );
  });

  it.each(notebooks)('$path writes nothing that stock tslab gets wrong', ({ notebook }) => {
    expect(cellTraps(codeOf(notebook, [OWN_KERNEL_TAG]))).toEqual([]);
  });

  it.each(notebooks)('$path tags the cells that only the project’s kernel can run', ({ notebook }) => {
    const untagged = notebook.cells.filter((cell) => !hasTag(cell, OWN_KERNEL_TAG));
    expect(
      untagged.filter((cell) => cell.cell_type === 'code' && /assay\/notebook/.test(sourceOf(cell))),
    ).toEqual([]);
  });

  it('type-checks against the library', () => {
    expect(typeErrors()).toEqual([]);
  }, 120_000);
});

describe('the search for what tslab gets wrong', () => {
  it('names a shorthand of an earlier cell, but not one of the same cell', () => {
    expect(cellTraps(['const a = 1; f({ a });', 'f({ a: a });'])).toEqual([]);
    expect(cellTraps(['const a = 1;', 'f({ a });'])).toEqual([
      'cell 2: write { a: a }, tslab loses the shorthand',
    ]);
  });

  it('names an assignment to a variable of an earlier cell that a function there reads', () => {
    expect(cellTraps(['let n = 1; n = 2;'])).toEqual([]);
    expect(cellTraps(['let n = 1;', 'n = 2;'])).toEqual([
      'cell 2: assigns n of an earlier cell, functions there keep the old value',
    ]);
  });

  it('names awaits it does not see and names it cannot hold', () => {
    expect(cellTraps(['const f = async () => { for await (const x of y) await (x); };'])).toEqual([]);
    expect(cellTraps(['await (x);', 'for await (const x of y) f(x);', 'const __a = 1;'])).toEqual([
      'cell 1: await must stand before a call',
      'cell 2: for await must stand in a function',
      'cell 3: __a must not begin with two underscores',
    ]);
  });
});
