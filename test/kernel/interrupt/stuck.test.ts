import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KernelClient } from '../../../kernel/run/kernel-client.js';
import { interrupted, launch, value } from './support.js';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await launch();
});
afterAll(async () => {
  await kernel?.shutdown();
});

it('a cell inside native code is told to be so, and ends when that comes back', async () => {
  const sleep = `execFileSync(process.execPath, ['-e', 'setTimeout(() => {}, 7000)'])`;
  const ended = await interrupted(
    kernel,
    `import { execFileSync } from 'node:child_process';\n${sleep};\nfor (;;) {}`,
    'message',
  );
  const text = ended.messages
    .map((message) => (typeof message.content.text === 'string' ? message.content.text : ''))
    .join('');
  expect(text).toContain('could not be interrupted');
  expect(ended.reply?.content.ename).toBe('CellInterrupted');
  expect(await value(kernel, '1 + 1')).toBe('2');
});

it('a shutdown comes through while an interrupt is still being tried', async () => {
  const other = await launch();
  const sleep = `execFileSync(process.execPath, ['-e', 'setTimeout(() => {}, 3000)'])`;
  const running = interrupted(
    other,
    `import { execFileSync } from 'node:child_process';\n${sleep}`,
    'message',
  );
  running.catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(await other.shutdown({ timeoutMs: 10_000 })).toBe(true);
});
