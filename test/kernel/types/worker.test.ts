import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Asker } from '../../../kernel/threads/ask.js';
import type { TypesAnswers, TypesRequest } from '../../../kernel/threads/types-messages.js';
import { root } from '../../structure/support.js';
import { kernelDist } from '../../support/kernel-dist.js';

let worker: Worker;
let asks: Asker<TypesRequest, TypesAnswers>[];
const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'assay types ')));
beforeAll(() => {
  const channels = [new MessageChannel(), new MessageChannel(), new MessageChannel()];
  const [user, server, loader] = channels.map((one) => one.port2);
  worker = new Worker(path.join(kernelDist(), 'kernel', 'types', 'main.js'), {
    workerData: { user, server, loader, root, folder, globals: Object.getOwnPropertyNames(globalThis) },
    transferList: [user, server, loader],
  });
  asks = channels.map((one) => new Asker<TypesRequest, TypesAnswers>(one.port1));
});
afterAll(async () => {
  await worker.terminate();
  rmSync(folder, { recursive: true, force: true });
});

describe('the types worker', () => {
  it('answers the user thread, the server and the loader, checks or not', async () => {
    const [user, server, loader] = asks;
    const unchecked = user.ask({ type: 'prepare', code: 'const a: number = "x"', count: 1, check: false });
    const checked = user.ask({ type: 'prepare', code: 'const b: number = "x"', count: 2, check: true });
    const complete = server.ask({ type: 'is-complete', code: 'if (x) {' });
    const located = loader.ask({ type: 'locate', specifier: './nothing', from: folder });
    expect(await unchecked).toMatchObject({ ok: true, declares: ['a'] });
    expect(await checked).toMatchObject({ ok: false, kind: 'types' });
    expect(await complete).toEqual({ status: 'incomplete', indent: '  ' });
    expect(await located).toBeUndefined();
  });

  it('finds the places of breakpoints in cells that ran', async () => {
    await asks[0].ask({
      type: 'prepare',
      code: 'let fw = 1\nfor (;;) { fw++; break }',
      count: 3,
      check: true,
    });
    const place = await asks[1].ask({ type: 'forward', count: 3, place: { line: 2, column: 12 } });
    expect(place).toMatchObject({ line: 2 });
    expect(place!.column).toBeGreaterThan(12);
    expect(await asks[1].ask({ type: 'forward', count: 99, place: { line: 1, column: 1 } })).toBeUndefined();
  });

  it('refuses a question it cannot answer and goes on', async () => {
    await expect(asks[2].ask({ type: 'module', file: path.join(folder, 'gone.ts') })).rejects.toThrow(
      'ENOENT',
    );
    expect(await asks[0].ask({ type: 'prepare', code: '1 + 1', count: 4, check: true })).toMatchObject({
      ok: true,
    });
  });
});
