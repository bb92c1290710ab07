/** Long sessions: a thousand cells in one kernel, fifty kernels after each other. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { KernelClient } from '../../kernel/run/kernel-client.js';
import { KERNEL_ENVIRONMENT } from '../../kernel/setup/decide.mjs';
import { root } from '../structure/support.js';
import { kernelDist } from '../support/kernel-dist.js';

const entry = join(kernelDist(), 'kernel', 'user', 'main.js');
const env = { ...KERNEL_ENVIRONMENT, ASSAY_HISTORY: 'off' };
const launch = () => KernelClient.launch({ entry, cwd: root, env });
const open: KernelClient[] = [];

afterEach(async () => {
  for (const client of open.splice(0)) await client.kill();
});

/** What cell k says and what its last expression must show. */
function cell(k: number): [code: string, shown: string | undefined] {
  switch (k % 6) {
    case 0:
      return [`const a${k} = ${k}; a${k} + 1`, String(k + 1)];
    case 1:
      return [`let total = ${k}; const grow = () => ++total; grow()`, String(k + 1)];
    case 2:
      return [`total = ${k}; grow()`, String(k + 1)];
    case 3:
      return [`interface P { n: number }\nconst p${k}: P = { n: ${k} };\np${k}.n`, String(k)];
    case 4:
      return [`await new Promise<number>((resolve) => setImmediate(() => resolve(${k})))`, String(k)];
    default:
      return [`class Box { constructor(readonly v: number) {} }\nnew Box(${k}).v`, String(k)];
  }
}

function residentBytes(pid: number | undefined): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}

/** Processes whose command line names the kernel's entry. */
function kernelProcesses(): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(entry);
    } catch {
      return false;
    }
  });
}

describe('a long session', () => {
  it('shows every one of 1,000 results right and grows by less than 1.3 after the first 50 cells', async () => {
    const kernel = await launch();
    open.push(kernel);
    const wrong: string[] = [];
    let early = 0;
    for (let k = 0; k < 1000; k++) {
      const [code, shown] = cell(k);
      const { reply, messages } = await kernel.execute(code);
      const result = messages.find((message) => message.type === 'execute_result');
      const text = (result?.content.data as Record<string, string> | undefined)?.['text/plain'];
      if (reply?.content.status !== 'ok' || text !== shown) wrong.push(`cell ${k}: ${text}`);
      if (k === 49 && process.platform === 'linux') early = residentBytes(kernel.process.pid);
    }
    expect(wrong).toEqual([]);
    if (early > 0) {
      const ratio = residentBytes(kernel.process.pid) / early;
      process.stderr.write(`resident memory after 1,000 cells: ${ratio.toFixed(2)} times that after 50\n`);
      expect(ratio).toBeLessThan(1.3);
    }
  });

  it('goes through 50 restarts, each with a fresh state and nothing left behind', async () => {
    for (let k = 0; k < 50; k++) {
      const kernel = await launch();
      open.push(kernel);
      const { messages } = await kernel.execute(
        'const before = typeof (globalThis as any).leftover; var leftover = 1; before',
      );
      const result = messages.find((message) => message.type === 'execute_result');
      expect((result?.content.data as Record<string, string>)['text/plain']).toContain('undefined');
      // Every third is told to end in the middle of a loop.
      if (k % 3 === 0) kernel.send('shell', 'execute_request', { code: 'for (;;) {}', silent: false });
      expect(await kernel.shutdown({ restart: true })).toBe(true);
    }
    if (process.platform === 'linux') expect(kernelProcesses()).toEqual([]);
  });
});
