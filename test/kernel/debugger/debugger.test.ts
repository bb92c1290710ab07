import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Driver, type Named } from './support.js';

/** Written in two parts: a statement of its own has no place in a source file. */
const PAUSE = ['debug', 'ger;'].join('');

let driver: Driver;
let folder: string;
beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'debugger-')));
  driver = await Driver.start(folder);
});
afterEach(async () => {
  expect(await driver.close(), driver.stderr).toBe(0);
  rmSync(folder, { recursive: true, force: true });
});

const CODE =
  'var a = 2;\nvar b = a * 3;\nfor (let i = 0; i < 2; i++) {\n  const square = i * i;\n  b += square;\n}\nb';

describe('breakpoints', () => {
  test('a breakpoint set by a cell’s code before it runs stops it on its line, with its values', async () => {
    await driver.attach();
    expect(await driver.breakpoints(CODE, [{ line: 5 }])).toEqual([5]);
    const done = driver.run(1, CODE);
    const { reason, frames } = await driver.stop();
    expect(reason).toBe('breakpoint');
    expect(frames.map(({ name, line }) => [name, line])).toEqual([['<cell>', 5]]);
    const { sourcePath } = await driver.request<{ sourcePath: string }>('dumpCell', { code: CODE });
    expect(frames[0].source?.path).toBe(sourcePath);
    expect(await driver.scope(frames[0].id, 'Locals')).toEqual({ i: '0', square: '0' });
    expect(await driver.scope(frames[0].id, 'Globals')).toEqual({ a: '2', b: '6' });
    await driver.request('continue', { threadId: 1 });
    expect((await driver.stop()).frames[0].line).toBe(5);
    await driver.request('continue', { threadId: 1 });
    expect(await done).toBe(7);
  });

  test('a breakpoint on blanks and comments moves to the next code', async () => {
    await driver.attach();
    const code = 'var a = 1;\n\n/* two\n lines */\n// and one\nvar c = a;';
    expect(await driver.breakpoints(code, [{ line: 2 }, { line: 4 }])).toEqual([6, 6]);
  });

  test('a breakpoint set in a cell that ran stops its function when a later cell calls it', async () => {
    const code = 'function twice(x) {\n  const y = x * 2;\n  return y;\n}';
    await driver.request('debugInfo');
    await driver.run(1, code);
    await driver.attach();
    expect(await driver.breakpoints(code, [{ line: 3 }])).toEqual([3]);
    const done = driver.run(2, 'var z = 1;\ntwice(z + 20)');
    const { frames } = await driver.stop();
    expect(frames.map(({ name, line, source }) => [name, line, source?.name])).toEqual([
      ['twice', 3, 'cell-1.ts'],
      ['<cell>', 2, 'cell-2.ts'],
    ]);
    expect(await driver.scope(frames[0].id, 'Locals')).toEqual({ x: '21', y: '42' });
    expect(await driver.request('evaluate', { expression: 'x + y', frameId: frames[0].id })).toMatchObject({
      result: '63',
      type: 'number',
    });
    await driver.request('continue', { threadId: 1 });
    expect(await done).toBe(42);
  });

  test('lines are mapped in a cell that runs as emitted text', async () => {
    await driver.attach();
    const code = 'enum E { A }\nvar e = 1;\nvar f = e + 1;';
    await driver.breakpoints(code, [{ line: 3 }]);
    const script =
      'var E;\n(function (E) {\n  E[E.A = 0] = "A";\n})(E || (E = {}));\nvar e = 1;\nvar f = e + 1;';
    const done = driver.run(1, code, { script, lines: [1, 5, 6] });
    const { frames } = await driver.stop();
    expect(frames[0].line).toBe(3);
    expect(await driver.scope(frames[0].id, 'Globals')).toMatchObject({ e: '1', f: 'undefined' });
    await driver.request('continue', { threadId: 1 });
    await done;
  });

  test('conditions, hit conditions and log points are honoured', async () => {
    await driver.attach();
    const code = 'var n = 0;\nfor (let i = 0; i < 5; i++) {\n  n += i;\n  n;\n}\nn';
    await driver.breakpoints(code, [
      { line: 3, condition: 'i === 3' },
      { line: 4, hitCondition: '5' },
      { line: 6, logMessage: 'n is {n}' },
    ]);
    const done = driver.run(1, code);
    expect((await driver.stop()).frames[0].line).toBe(3);
    await driver.request('continue', { threadId: 1 });
    const { frames } = await driver.stop();
    expect(frames[0].line).toBe(4);
    expect(await driver.scope(frames[0].id, 'Locals')).toEqual({ i: '4' });
    await driver.request('continue', { threadId: 1 });
    expect(await done).toBe(10);
  });

  test('a local module stops at its breakpoint in every version that is loaded', async () => {
    const path = join(folder, 'helper.mjs');
    writeFileSync(path, 'export function half(x) {\n  const y = x / 2;\n  return y;\n}\n');
    await driver.attach();
    await driver.request('setBreakpoints', { source: { path }, breakpoints: [{ line: 3 }] });
    const url = new URL(`file://${path.replaceAll('\\', '/')}`).href;
    for (const version of [1, 2]) {
      const done = driver.run(version, `var m = await __assay.import("${url}?v=${version}");\nm.half(8)`);
      const { frames } = await driver.stop();
      expect(frames.map((frame) => [frame.source?.path === path, frame.line])).toEqual([
        [true, 3],
        [false, 2],
      ]);
      expect(await driver.scope(frames[0].id, 'Locals')).toEqual({ x: '8', y: '4' });
      await driver.request('continue', { threadId: 1 });
      expect(await done).toBe(4);
    }
    const { modules } = await driver.request<{ modules: { name: string }[] }>('modules');
    expect(modules.map(({ name }) => name)).toEqual(['helper.mjs']);
    const { content } = await driver.request<{ content: string }>('source', { source: { path } });
    expect(content).toContain('return y');
  });
});

describe('stepping', () => {
  test('next goes line by line over awaits, and past the last line the cell finishes', async () => {
    await driver.attach();
    const code =
      'var a = 1;\nvar b = await Promise.resolve(a + 1);\nvar c = [1, 2].map((x) => x + b).length;\nc';
    await driver.breakpoints(code, [{ line: 1 }]);
    const done = driver.run(1, code);
    expect((await driver.stop()).frames[0].line).toBe(1);
    for (const line of [2, 3, 4]) {
      await driver.request('next', { threadId: 1 });
      const { reason, frames } = await driver.stop();
      expect([reason, frames[0].line]).toEqual(['step', line]);
    }
    await driver.request('next', { threadId: 1 });
    expect(await done).toBe(2);
    await driver.event('continued');
    expect(await driver.run(2, 'a')).toBe(1);
    expect(driver.events.filter(({ event }) => event === 'stopped')).toHaveLength(4);
  });

  test('stepIn enters the user’s functions and passes over Node’s, stepOut comes back', async () => {
    await driver.attach();
    const code = [
      'function inner(x) {',
      '  return x + 1;',
      '}',
      'var { EventEmitter } = process.getBuiltinModule("node:events");',
      'new EventEmitter().once("x", inner);',
      'var r = inner(1);',
      'r',
    ].join('\n');
    await driver.breakpoints(code, [{ line: 5 }]);
    const done = driver.run(1, code);
    await driver.stop();
    await driver.request('stepIn', { threadId: 1 });
    expect((await driver.stop()).frames[0]).toMatchObject({ name: '<cell>', line: 6 });
    await driver.request('stepIn', { threadId: 1 });
    expect((await driver.stop()).frames[0]).toMatchObject({ name: 'inner', line: 2 });
    await driver.request('stepOut', { threadId: 1 });
    expect((await driver.stop()).frames[0]).toMatchObject({ name: '<cell>', line: 7 });
    await driver.request('continue', { threadId: 1 });
    expect(await done).toBe(2);
  });

  test('pause stops a busy loop, and in an idle notebook the next cell', async () => {
    await driver.attach();
    const busy = driver.run(1, 'var go = true;\nwhile (go) {\n  go;\n}\n"ended"');
    await new Promise((resolve) => setTimeout(resolve, 100));
    await driver.request('pause', { threadId: 1 });
    const { reason, frames } = await driver.stop();
    expect(reason).toBe('pause');
    await driver.request('evaluate', { expression: 'go = false', frameId: frames[0].id });
    await driver.request('continue', { threadId: 1 });
    expect(await busy).toBe('ended');
    await driver.request('pause', { threadId: 1 });
    const next = driver.run(2, 'var q = 5;\nq');
    expect((await driver.stop()).frames[0].line).toBe(1);
    await driver.request('continue', { threadId: 1 });
    expect(await next).toBe(5);
  });
});

describe('exceptions', () => {
  test('raised stops at every throw of the user’s code, uncaught only at those no catch handles', async () => {
    await driver.attach();
    const caught = 'var n = 0;\ntry {\n  throw new Error("caught");\n} catch {\n  n = 1;\n}\nn';
    const uncaught = 'function bad() {\n  throw new RangeError("too far");\n}\nbad();';
    await driver.request('setExceptionBreakpoints', { filters: ['raised'] });
    let done = driver.run(1, caught);
    expect(await driver.stop()).toMatchObject({ reason: 'exception', frames: [{ line: 3 }] });
    await driver.request('continue', { threadId: 1 });
    expect(await done).toBe(1);
    await driver.request('setExceptionBreakpoints', { filters: ['uncaught'] });
    expect(await driver.run(2, caught)).toBe(1);
    done = driver.run(3, uncaught);
    expect(await driver.stop()).toMatchObject({ reason: 'exception', frames: [{ line: 2 }, { line: 4 }] });
    expect(await driver.request('exceptionInfo', { threadId: 1 })).toMatchObject({
      exceptionId: 'RangeError',
      description: 'RangeError: too far',
    });
    await driver.request('continue', { threadId: 1 });
    expect(await done).toBe('RangeError: too far');
    await driver.request('setExceptionBreakpoints', { filters: [] });
    expect(await driver.run(4, uncaught)).toBe('RangeError: too far');
  });

  test('an uncaught error inside the platform stops with the line of the cell that led there', async () => {
    await driver.attach();
    await driver.request('setExceptionBreakpoints', { filters: ['uncaught'] });
    const done = driver.run(1, 'var q = 1;\nprocess.getBuiltinModule("node:fs").readFileSync(false);');
    expect((await driver.stop()).frames).toMatchObject([{ line: 2 }]);
    await driver.request('setExceptionBreakpoints', { filters: [] });
    await driver.request('continue', { threadId: 1 });
    expect(await done).toMatch(/^TypeError/);
  });
});

describe('variables', () => {
  test('the panel lists the session’s own names, data first, and unfolds them', async () => {
    await driver.request('debugInfo');
    await driver.run(
      1,
      'function fn() {}\nvar s = "x\\"y", list = [1, 2], record = { k: { deep: true } };\n' +
        'let lexical = 5;\nvar map = new Map([["one", 1]]), f32 = new Float32Array(3), none = null, big = 10n;',
    );
    expect((await driver.request<{ variables: Named[] }>('inspectVariables')).variables).toHaveLength(9);
    await driver.run(2, 's = "later";');
    const { variables } = await driver.request<{ variables: Named[] }>('inspectVariables');
    const byName = Object.fromEntries(variables.map((v) => [v.name, [v.value, v.type]]));
    expect(byName).toEqual({
      s: ['"later"', 'string'],
      list: ['[1, 2]', 'Array'],
      record: ['{k: Object}', 'Object'],
      map: ['Map(1) {"one" => 1}', 'Map'],
      f32: ['Float32Array(3) [0, 0, 0]', 'Float32Array'],
      none: ['null', 'null'],
      big: ['10n', 'bigint'],
      lexical: ['5', 'number'],
      fn: ['ƒ fn()', 'function'],
    });
    expect(variables.at(-1)?.name).toBe('fn');
    const [k] = await driver.children(variables.find(({ name }) => name === 'record')!.variablesReference);
    expect(await driver.children(k.variablesReference)).toMatchObject([{ name: 'deep', value: 'true' }]);
  });

  test('long arrays unfold into pages, and are sliced where a front end pages itself', async () => {
    await driver.request('debugInfo');
    await driver.run(1, 'var long = Float64Array.from({ length: 25_000 }, (_, i) => i / 2);');
    const { variables } = await driver.request<{ variables: Named[] }>('inspectVariables');
    const { variablesReference } = variables[0];
    const pages = await driver.children(variablesReference);
    expect(pages.map(({ name }) => name)).toEqual(['[0…9999]', '[10000…19999]', '[20000…24999]']);
    const inner = await driver.children(pages[2].variablesReference);
    expect(inner).toHaveLength(50);
    const last = await driver.children(inner[49].variablesReference);
    expect(last.at(-1)).toMatchObject({ name: '24999', value: '12499.5' });
    const args = { variablesReference, start: 300, count: 2 };
    const sliced = await driver.request<{ variables: Named[] }>('variables', args);
    expect(sliced.variables.map(({ name, value }) => [name, value])).toEqual([
      ['300', '150'],
      ['301', '150.5'],
    ]);
  });

  test('values are set, copied to the globals, evaluated and rendered, stopped or not', async () => {
    await driver.attach();
    const code = 'function g(x) {\n  const own = { w: x };\n  return x;\n}\ng(3)';
    await driver.breakpoints(code, [{ line: 3 }]);
    const done = driver.run(1, code);
    const { frames } = await driver.stop();
    const frameId = frames[0].id;
    const { scopes } = await driver.request<{ scopes: Named[] }>('scopes', { frameId });
    const { variablesReference } = scopes[0];
    await driver.request('setVariable', { variablesReference, name: 'x', value: '40 + 2' });
    await driver.request('copyToGlobals', {
      srcVariableName: 'own',
      dstVariableName: 'kept',
      srcFrameId: frameId,
    });
    const rich = await driver.request('richInspectVariables', { variableName: 'own', frameId });
    expect(rich).toEqual({ data: { 'text/plain': '{ w: 3 }' }, metadata: {} });
    const failed = await driver.response('evaluate', { expression: 'nothing.here', frameId });
    expect([failed.success, failed.message]).toEqual([false, 'ReferenceError: nothing is not defined']);
    await driver.request('continue', { threadId: 1 });
    expect(await done).toBe(42);
    expect(await driver.run(2, 'kept.w')).toBe(3);
    expect(
      await driver.request('evaluate', { expression: 'const v = await Promise.resolve(kept.w)' }),
    ).toMatchObject({
      result: 'undefined',
    });
    expect(await driver.request('evaluate', { expression: 'v + 1' })).toMatchObject({ result: '4' });
    expect(await driver.request('richInspectVariables', { variableName: 'v' })).toMatchObject({
      data: { 'text/plain': '3' },
    });
  });
});

describe('the notebook goes on', () => {
  test('without a client a debugger statement is passed over, with one it stops', async () => {
    expect(await driver.run(1, `${PAUSE}\n1`)).toBe(1);
    await driver.attach();
    const done = driver.run(2, `${PAUSE}\n2`);
    expect((await driver.stop()).frames[0].line).toBe(1);
    await driver.request('continue', { threadId: 1 });
    expect(await done).toBe(2);
  });

  test('a disconnect while stopped resumes the cell and forgets the breakpoints', async () => {
    await driver.attach();
    await driver.breakpoints(CODE, [{ line: 2 }, { line: 4 }]);
    const done = driver.run(1, CODE);
    await driver.stop();
    expect(await driver.request('debugInfo')).toMatchObject({ isStarted: true, stoppedThreads: [1] });
    await driver.request('disconnect');
    expect(await done).toBe(7);
    expect(await driver.request('debugInfo')).toMatchObject({
      isStarted: false,
      stoppedThreads: [],
      breakpoints: [],
    });
    expect(driver.events.filter(({ event }) => event === 'stopped')).toHaveLength(1);
    await driver.event('terminated');
    expect(await driver.run(2, CODE)).toBe(7);
    await driver.attach();
    await driver.breakpoints(CODE, [{ line: 2 }]);
    const again = driver.run(3, CODE);
    await driver.stop();
    await driver.request('continue', { threadId: 1 });
    expect(await again).toBe(7);
  });

  test('an interrupt resumes a stopped cell and no breakpoint stops it again until the next', async () => {
    await driver.attach();
    await driver.breakpoints(CODE, [{ line: 4 }]);
    const done = driver.run(1, CODE);
    await driver.stop();
    await driver.interrupt();
    expect(await done).toBe(7);
    const again = driver.run(2, CODE);
    await driver.stop();
    await driver.request('disconnect');
    expect(await again).toBe(7);
  });

  test('closing while stopped lets the process end', async () => {
    await driver.attach();
    await driver.breakpoints(CODE, [{ line: 2 }]);
    void driver.run(1, CODE).catch(() => undefined);
    await driver.stop();
  });

  test('an unknown command is refused with a message, and a request to a running thread too', async () => {
    const { success, message } = await driver.response('fly');
    expect([success, message]).toEqual([
      false,
      'debug_request: command must be one the debugger knows, got fly',
    ]);
    await driver.attach();
    expect(await driver.response('next')).toMatchObject({ success: false });
    expect(await driver.request('stackTrace', { threadId: 1 })).toEqual({ stackFrames: [], totalFrames: 0 });
  });
});
