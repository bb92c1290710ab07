import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KernelClient } from '../../../kernel/run/kernel-client.js';
import { errors, interrupted, launch, value, type How } from './support.js';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await launch();
  await kernel.execute('let kept = 41;');
});
afterAll(async () => {
  await kernel?.shutdown();
});

const hows: How[] = process.platform === 'win32' ? ['message'] : ['message', 'signal'];
/** Code without loop guards. */
const unguarded = (body: string) => `(new Function(${JSON.stringify(body)}))()`;

/** Everything here runs for ever, or for much longer than a test. */
const programs: Record<string, string> = {
  'a loop': 'for (;;) {}',
  'a loop after an await': 'await 0; for (;;) {}',
  'a loop that catches the error': 'while (true) { try { for (;;) {} } catch {} }',
  'a loop that prints': 'for (;;) console.log(1);',
  'an asynchronous loop over a timer': 'for (;;) await new Promise((resolve) => setTimeout(resolve, 1));',
  'an asynchronous loop that leaves events no turn': 'for (;;) await 0;',
  'a chain of promises without a loop': 'async function again() { await 0; return again(); }\nawait again();',
  'a chain of ticks': 'function tick() { process.nextTick(tick); }\ntick(); await new Promise(() => {});',
  'a promise that never settles': 'await new Promise(() => {});',
  'a sort':
    'const many = Array.from({ length: 3e6 }, () => Math.random());\nfor (;;) many.sort(() => Math.random() - 0.5);',
  'a catastrophic regular expression': '/^(a+)+$/.test("a".repeat(40) + "b");',
  'one after an await': 'await 0; /^(a+)+$/.test("a".repeat(40) + "b");',
  'code without guards': unguarded('for (;;) {}'),
  'code without guards in a timer': `setTimeout(() => ${unguarded('for (;;) {}')}, 1);\nawait new Promise(() => {});`,
  'code without guards in an immediate': `setImmediate(() => ${unguarded('for (;;) {}')});\nawait new Promise(() => {});`,
  'code without guards in a tick': `process.nextTick(() => ${unguarded('for (;;) {}')});\nawait new Promise(() => {});`,
  'a wait for memory': 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);',
};

describe.each(hows)('an interrupt by %s', (how) => {
  it.each(Object.entries(programs))('ends %s, and the kernel goes on', async (_, code) => {
    const { reply } = await interrupted(kernel, code, how);
    expect(reply?.content).toMatchObject({ status: 'error', ename: 'CellInterrupted' });
    expect(await value(kernel, 'kept + 1')).toBe('42');
  });

  it('does nothing to an idle kernel', async () => {
    for (let i = 0; i < 10; i++) await kernel.interrupt(how);
    // A signal has no reply: one that is still on its way would rightly interrupt the next cell.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await value(kernel, 'kept + 1')).toBe('42');
  });

  it('may come ten times in quick succession', async () => {
    const ended = kernel.execute('for (;;) {}');
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (let i = 0; i < 10; i++) await kernel.interrupt(how);
    expect((await ended).reply?.content.ename).toBe('CellInterrupted');
    expect(await value(kernel, 'let sum = 0; for (let i = 0; i < 1000; i++) sum += i; sum')).toBe('499500');
  });
});

describe('an interrupted cell', () => {
  it('says which line it was at', async () => {
    const ended = await interrupted(kernel, 'const z = 1;\nfor (;;) {\n  Math.sqrt(z);\n}', 'message');
    expect(errors(ended).join()).toMatch(/cell-\d+\.ts:3/);
  });

  it('runs its finally blocks', async () => {
    await interrupted(
      kernel,
      'const done: string[] = [];\ntry { for (;;) {} } finally { done.push("sync"); }',
      'message',
    );
    await interrupted(
      kernel,
      'import { setTimeout as sleep } from "node:timers/promises";\ntry { for (;;) await sleep(1); } finally { done.push("async"); }',
      'message',
    );
    expect(await value(kernel, 'done.join()')).toBe("'sync,async'");
  });

  it('has its signal aborted', async () => {
    await interrupted(
      kernel,
      'let reason = "";\ncell.signal.addEventListener("abort", () => { reason = cell.signal.reason.name; });\nawait new Promise(() => {});',
      'message',
    );
    expect(await value(kernel, 'reason')).toBe("'CellInterrupted'");
  });

  it('leaves no timer behind', async () => {
    const code =
      'let beats = 0;\nsetInterval(() => beats++, 2);\nfunction again() { beats++; setImmediate(again); }\nagain();\n' +
      'queueMicrotask(() => beats++); setTimeout(() => { beats = -1; }, 300);\nawait new Promise(() => {});';
    await interrupted(kernel, code, 'message');
    const wait = 'await new Promise((resolve) => setTimeout(resolve, 400));';
    expect(await value(kernel, `const before = beats; ${wait} [before > 0, beats - before].join()`)).toBe(
      "'true,0'",
    );
  });

  it('may not set timers from what is left of it', async () => {
    const code =
      'import { readFile } from "node:fs/promises";\nlet went: unknown;\n' +
      'try { await new Promise((resolve) => cell.signal.addEventListener("abort", resolve)); setTimeout(() => {}, 1); went = "on"; } catch (error) { went = error; }';
    await interrupted(kernel, code, 'message');
    expect(await value(kernel, '(went as Error).name')).toBe("'CellInterrupted'");
  });
});

describe('timers of a cell', () => {
  it('are those of Node', async () => {
    const code =
      'import { promisify } from "node:util";\nimport timers from "node:timers";\nlet got = "";\n' +
      'const timer = setTimeout((a: string, b: string) => { got = a + b; }, 5, "x", "y");\n' +
      'const had = [timer.hasRef(), timer.unref().hasRef(), timer.ref().hasRef(), timer.constructor.name];\n' +
      'const answer = await promisify(setTimeout)(20, "later");\n' +
      '[got, answer, ...had, setTimeout.name, timers.setTimeout === setTimeout].join()';
    expect(await value(kernel, code)).toBe("'xy,later,true,false,true,Timeout,setTimeout,true'");
  });
});
