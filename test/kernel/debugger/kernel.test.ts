import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { KernelClient, type ClientMessage } from '../../../kernel/run/kernel-client.js';
import type { JsonObject } from '../../../kernel/server/wire.js';
import { kernelDist } from '../../support/kernel-dist.js';
import type { Event } from './support.js';

let client: KernelClient;
let folder: string;
let events: Event[];
let heard: (() => void)[];
let seen: number;

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'debugged-')));
  client = await KernelClient.launch({ entry: join(kernelDist(), 'kernel', 'user', 'main.js'), cwd: folder });
  [events, heard, seen] = [[], [], 0];
  client.onIopub = (message: ClientMessage) => {
    if (message.type !== 'debug_event') return;
    events.push(message.content as JsonObject & Event);
    for (const one of heard.splice(0)) one();
  };
});
afterEach(async () => {
  expect(await client.shutdown()).toBe(true);
  rmSync(folder, { recursive: true, force: true });
});

let seq = 1;
async function debug<T = Record<string, never>>(command: string, args: object = {}): Promise<T> {
  const content = { type: 'request', seq: seq++, command, arguments: args };
  const { reply } = await client.request('control', 'debug_request', content);
  const response = reply?.content as unknown as DebugProtocol.Response;
  if (!response.success) throw new Error(`${command}: ${response.message}`);
  return response.body as T;
}

async function stop(): Promise<DebugProtocol.StackFrame[]> {
  for (;;) {
    while (seen < events.length)
      if (events[seen++].event === 'stopped')
        return (await debug<{ stackFrames: DebugProtocol.StackFrame[] }>('stackTrace', { threadId: 1 }))
          .stackFrames;
    await new Promise<void>((resolve) => heard.push(resolve));
  }
}

async function breakpoints(code: string, ...lines: number[]): Promise<void> {
  const { sourcePath } = await debug<{ sourcePath: string }>('dumpCell', { code });
  await debug('setBreakpoints', {
    source: { path: sourcePath },
    breakpoints: lines.map((line) => ({ line })),
  });
}

async function values(frameId: number, name: string): Promise<Record<string, string>> {
  const { scopes } = await debug<{ scopes: DebugProtocol.Scope[] }>('scopes', { frameId });
  const reference = scopes.find((scope) => scope.name === name)?.variablesReference;
  const args = { variablesReference: reference };
  const { variables } = await debug<{ variables: DebugProtocol.Variable[] }>('variables', args);
  return Object.fromEntries(variables.map((variable) => [variable.name, variable.value]));
}

async function attach(): Promise<void> {
  await debug('initialize');
  await debug('attach');
}

test('a kernel stops in TypeScript cells and local modules, shows values, steps and goes on', async () => {
  const file = join(folder, 'scale.ts');
  writeFileSync(
    file,
    'export enum Mode { Up, Down }\nexport function scale(x: number, m: Mode): number {\n  const y = m === Mode.Up ? x * 2 : x / 2;\n  return y;\n}\n',
  );
  const define =
    'interface Pair {\n  a: number;\n}\nfunction add(p: Pair, k: number): number {\n  const sum: number = p.a + k;\n  return sum;\n}';
  expect((await client.execute(define)).reply?.content.status).toBe('ok');
  await attach();
  await breakpoints(define, 6);
  await debug('setBreakpoints', { source: { path: file }, breakpoints: [{ line: 4 }] });
  const code =
    "import { scale, Mode } from './scale.ts';\nconst pair: Pair = { a: 4 };\nconst total = add(pair, 3);\nscale(total, Mode.Up)";
  const done = client.execute(code);
  let frames = await stop();
  expect(frames.map(({ name, line }) => [name, line])).toEqual([
    ['add', 6],
    ['<cell>', 3],
  ]);
  expect(await values(frames[0].id, 'Locals')).toEqual({ p: '{a: 4}', k: '3', sum: '7' });
  expect(Object.keys(await values(frames[0].id, 'Globals')).sort()).toEqual([
    'Mode',
    'add',
    'pair',
    'scale',
    'total',
  ]);
  await debug('next', { threadId: 1 });
  frames = await stop();
  await debug('continue', { threadId: 1 });
  frames = await stop();
  expect(frames[0]).toMatchObject({ name: 'scale', line: 4, source: { path: file } });
  expect(await values(frames[0].id, 'Locals')).toMatchObject({ x: '7', y: '14' });
  await debug('continue', { threadId: 1 });
  const { reply, messages } = await done;
  expect(reply?.content.status).toBe('ok');
  expect(messages.find(({ type }) => type === 'execute_result')?.content.data).toMatchObject({
    'text/plain': '14',
  });
  await debug('disconnect');
});

test('an interrupt ends a stopped cell, and shutdown works while stopped', async () => {
  await attach();
  const code = 'let n = 0;\nwhile (n < 1e12) {\n  n += 1;\n}';
  await breakpoints(code, 3);
  const done = client.execute(code);
  await stop();
  await client.request('control', 'interrupt_request', {}, { waitIdle: false });
  expect((await done).reply?.content.status).toBe('error');
  const again = client.execute('n > 0').then(({ reply }) => reply?.content.status);
  expect(await again).toBe('ok');
  void client.execute(code).catch(() => undefined);
  await stop();
});

test('the panel and rich views know the session’s values as the notebook shows them', async () => {
  await debug('debugInfo');
  await client.execute(
    'const xs: number[] = [1, 2, 3];\nclass Box { constructor(public v: number) {} }\nconst box = new Box(5);',
  );
  const { variables } = await debug<{ variables: DebugProtocol.Variable[] }>('inspectVariables');
  expect(variables.map(({ name, value }) => [name, value])).toEqual([
    ['xs', '[1, 2, 3]'],
    ['box', 'Box {v: 5}'],
    ['Box', 'class Box'],
  ]);
  const { data } = await debug<{ data: Record<string, string> }>('richInspectVariables', {
    variableName: 'xs',
  });
  expect(stripVTControlCharacters(data['text/plain'])).toContain('1, 2, 3');
});
