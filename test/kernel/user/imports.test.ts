import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plain, UserProcess } from './user-process.js';

let user: UserProcess;
beforeAll(async () => {
  user = new UserProcess('real');
  await user.until((all) => all.find((message) => message.type === 'ready'), 'the user thread');
});
afterAll(() => user.close());

function put(file: string, text: string): void {
  const path = join(user.folder, file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function putPackage(name: string, manifest: object, files: Record<string, string>): void {
  put(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', ...manifest }));
  for (const [file, text] of Object.entries(files)) put(`node_modules/${name}/${file}`, text);
}

/** Runs a cell whose types are of no interest here. */
async function run(code: string): Promise<{ out: string; error: string }> {
  const ran = await user.run(`%%nocheck\n${code}`);
  return { out: plain(ran.stdout), error: ran.error ? plain(ran.error.traceback.join('\n')) : '' };
}

describe('functions of cells', () => {
  it('run as text where there is no kernel', async () => {
    const code = 'function looping() { let n = 0; for (const x of [1, 2]) n += x; return n }\n';
    const away = "console.log(require('vm').runInNewContext('(' + looping + ')()'))";
    expect(await run(`${code}${away}`)).toEqual({ out: '3\n', error: '' });
  });
});

describe('packages', () => {
  it('resolve from the notebook’s folder by their exports, with top-level await', async () => {
    putPackage(
      'esm-only',
      { type: 'module', exports: { '.': { import: './main.js' }, './sub': './deep/sub.js' } },
      {
        'main.js': 'export default await Promise.resolve("main");',
        'deep/sub.js': 'export const sub = "sub";',
      },
    );
    const code = "import main from 'esm-only'; import { sub } from 'esm-only/sub'; console.log(main, sub)";
    expect((await run(code)).out).toBe('main sub\n');
    expect((await run("console.log((await import('esm-only')).default)")).out).toBe('main\n');
  });

  it('of CommonJS give their names, and builtins come with and without node:', async () => {
    putPackage('cjs', { main: 'i.js' }, { 'i.js': 'exports.named = 5; exports.other = () => 6;' });
    const code = "import { named } from 'cjs'; import { join } from 'path'; import * as os from 'node:os';";
    expect((await run(`${code} console.log(named, typeof join, typeof os.cpus)`)).out).toBe(
      '5 function function\n',
    );
    expect((await run("console.log(require('cjs').other())")).out).toBe('6\n');
  });

  it('without a name that is imported from them are told as a static import tells it, types checked or not', async () => {
    putPackage('few', { type: 'module', main: 'i.js' }, { 'i.js': 'export const one = 1;' });
    expect((await run("import { two } from 'few'")).error).toContain(
      "SyntaxError: 'few' does not provide an export named 'two'",
    );
    expect((await run("import few from 'few'")).error).toContain(
      "does not provide an export named 'default'",
    );
    putPackage('whole', { main: 'i.js' }, { 'i.js': "module.exports = { ['a' + 'b']: 1 };" });
    expect((await run("import { ab } from 'whole'")).error).toContain(
      "its default export has it: import all from 'whole'; const { ab } = all",
    );
  });

  it('are required once installed, though they were required before', async () => {
    putPackage('neighbour', {}, { 'index.js': '' });
    expect((await run("require('later-cjs')")).error).toContain('%install later-cjs');
    expect((await run("require('later-cjs/sub')")).error).toContain("package 'later-cjs' is not installed");
    putPackage(
      'later-cjs',
      { exports: { '.': './lib/i.js', './sub': './lib/sub.js' } },
      { 'lib/i.js': 'module.exports = 1', 'lib/sub.js': 'module.exports = 2' },
    );
    const code = "console.log(require('later-cjs'), require('later-cjs/sub'), require.resolve('fs'))";
    expect(await run(code)).toEqual({ out: '1 2 fs\n', error: '' });
  });

  it('that are linked to TypeScript of the workspace are loaded as local files are', async () => {
    put('workspace/linked/package.json', JSON.stringify({ name: 'linked', type: 'module', main: 'i.ts' }));
    put('workspace/linked/i.ts', 'export const linked: number = 3;');
    mkdirSync(join(user.folder, 'node_modules'), { recursive: true });
    symlinkSync(join(user.folder, 'workspace/linked'), join(user.folder, 'node_modules/linked'), 'junction');
    expect(await run("import { linked } from 'linked'; console.log(linked)")).toEqual({
      out: '3\n',
      error: '',
    });
  });

  it('that are missing are told with the folder and the cure, and work once installed', async () => {
    const { error } = await run("import x from 'later-pkg'");
    expect(error).toContain(`package 'later-pkg' is not installed, looked for from ${user.folder}`);
    expect(error).toContain('%install later-pkg');
    expect(error).not.toContain('node:internal');
    putPackage('later-pkg', { exports: './i.mjs' }, { 'i.mjs': 'export default "now";' });
    expect(await run("import x from 'later-pkg'; console.log(x)")).toEqual({ out: 'now\n', error: '' });
  });

  it('that want a missing package work once that is installed', async () => {
    putPackage('needs', { exports: './i.mjs' }, { 'i.mjs': 'import y from "needed"; export default y;' });
    expect((await run("import x from 'needs'")).error).toContain("package 'needed' is not installed");
    putPackage('needed', { exports: './i.mjs' }, { 'i.mjs': 'export default "both";' });
    expect((await run("import x from 'needs'; console.log(x)")).out).toBe('both\n');
  });

  it('name what their exports do not have', async () => {
    expect((await run("import 'esm-only/hidden'")).error).toMatch(/import 'esm-only\/hidden': .*"exports"/);
  });
});

describe('local files', () => {
  it('are TypeScript modules, with the spellings and the context they expect', async () => {
    put(
      'mods/a.ts',
      'import { b } from "./b.js";\nexport const a: string = b + import.meta.url.slice(-4);\n',
    );
    put('mods/b.ts', 'export const b: string = await Promise.resolve("b ");\n');
    const { out } = await run("import { a } from './mods/a'; console.log(a.slice(0, 2))");
    expect(out).toBe('b \n');
  });

  it('that have changed, or whose imports have, give their names new values without another import', async () => {
    put(
      'top.ts',
      'import { deep } from "./deep";\nexport const top = () => deep + 1;\nexport const old = 1;\n',
    );
    put('deep.ts', 'export const deep: number = 10;\n');
    expect(
      (await run("import { top } from './top'; import * as all from './top'; console.log(top())")).out,
    ).toBe('11\n');
    put('deep.ts', 'export const deep: number = 200;\n');
    expect((await run('console.log(top(), all.top())')).out).toBe('201 201\n');
    expect((await run("import { top } from './top'; console.log(top())")).out).toBe('201\n');
  });

  it('keep their names’ values while an edit does not compile, and say so', async () => {
    put('deep.ts', 'export const deep: number = = 3;\n');
    const ran = await user.run('%%nocheck\nconsole.log(top())');
    expect(ran.stdout).toBe('201\n');
    expect(ran.stderr).toMatch(/the edited .\/top could not be loaded.*deep\.ts:1:/);
    put('deep.ts', 'export const deep: number = 4;\n');
    expect((await run('console.log(top())')).out).toBe('5\n');
  });

  it('that are missing are told, and work once made, also far down', async () => {
    expect((await run("import { x } from './made-later'")).error).toContain('no such file, looked for from');
    put('made-later.ts', 'import y from "./deeper"; export const x = y;');
    expect((await run("import { x } from './made-later'")).error).toContain('deeper');
    put('deeper.ts', 'export default 8;');
    expect((await run("import { x } from './made-later'; console.log(x)")).out).toBe('8\n');
  });

  it('whose own code threw are run anew by the next import', async () => {
    put(
      'reads.ts',
      'import { readFileSync } from "node:fs";\nexport const text = readFileSync("data.txt", "utf8");\n',
    );
    const { error } = await run("import { text } from './reads'");
    expect(error).toMatch(/ENOENT/);
    expect(error).toMatch(/reads\.ts:2:/);
    put('data.txt', 'data');
    expect((await run("import { text } from './reads'; console.log(text)")).out).toBe('data\n');
  });

  it('have their own lines in errors, also where syntax had to be emitted', async () => {
    put(
      'lines.ts',
      'interface A { a: 1 }\nenum E { X = 7 }\n\nexport function fail(): never {\n  throw new Error("at " + E.X);\n}\n',
    );
    const { error } = await run("import { fail } from './lines'; fail()");
    expect(error).toContain('Error: at 7');
    expect(error).toMatch(/at fail \(lines\.ts:5:9\)/);
  });

  it('of JSON and CommonJS are renewed by the next import', async () => {
    put('data.json', '{"n":1}');
    put('old.cjs', 'module.exports = { n: 1 };');
    const code =
      "import j from './data.json' with { type: 'json' }; import c from './old.cjs'; console.log(j.n, c.n)";
    expect((await run(code)).out).toBe('1 1\n');
    put('data.json', '{"n":22}');
    put('old.cjs', 'module.exports = { n: 22 };');
    expect((await run(code)).out).toBe('22 22\n');
  });

  it('import the project and tslab as the kernel has them', async () => {
    putPackage('tslab', { main: 'i.js' }, { 'i.js': 'exports.display = 5;' });
    const { out, error } = await run(
      "import { display } from 'tslab'; import { Random } from 'assay'; console.log(typeof display, typeof Random)",
    );
    expect(error).toBe('');
    expect(out).toMatch(/^(object|function) function\n$/);
    rmSync(join(user.folder, 'node_modules/tslab'), { recursive: true });
  });
});
