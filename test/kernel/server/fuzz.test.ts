import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KernelClient } from '../../../kernel/run/kernel-client.js';
import { kernelDist } from '../../support/kernel-dist.js';
import { FUZZ_CASES, fuzzCases } from './fuzz.js';
import { startRig } from './support.js';

describe('whatever a peer sends', () => {
  test(`${FUZZ_CASES} broken, wrong and odd messages leave the server answering`, async () => {
    const rig = await startRig();
    try {
      for (const { channel, frames } of fuzzCases(rig.client.connection.key, FUZZ_CASES, 11))
        rig.client.sendRaw(channel, frames);
      const info = await rig.client.request('shell', 'kernel_info_request', {});
      expect(info.reply?.content.status).toBe('ok');
      expect((await rig.client.execute('alive')).reply?.content.status).toBe('ok');
      expect(rig.reports.length).toBeGreaterThan(5);
      expect(rig.reports.length).toBeLessThan(100);
    } finally {
      rig.close();
    }
  }, 600_000);

  test(`a running kernel survives ${FUZZ_CASES} of them and goes on with its variables`, async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'assay-fuzz-'));
    const entry = join(kernelDist(), 'kernel', 'user', 'main.js');
    const client = await KernelClient.launch({ entry, cwd, env: { ASSAY_HISTORY: 'off' } });
    try {
      await client.execute('let kept = 41');
      for (const { channel, frames } of fuzzCases(client.connection.key, FUZZ_CASES, 12))
        client.sendRaw(channel, frames);
      // An interrupt among them may still be on its way to what runs, so the cell may need a second try.
      let shown = '';
      for (let tries = 0; tries < 20 && !shown.includes('42'); tries++) {
        const { messages } = await client.execute('kept + 1', { timeoutMs: 500_000 });
        const result = messages.find(({ type }) => type === 'execute_result');
        shown = JSON.stringify(result?.content.data ?? '');
      }
      expect(shown).toContain('42');
      expect(await client.heartbeat()).toBe(true);
      expect(await client.shutdown()).toBe(true);
    } finally {
      await client.kill();
      rmSync(cwd, { recursive: true, force: true });
    }
  }, 600_000);

  test('a frame far over the limit costs its sender the connection and the kernel nothing', async () => {
    const rig = await startRig();
    try {
      const huge = Buffer.alloc(65 * 1024 * 1024, 0x20);
      const { key } = rig.client.connection;
      const [{ frames }] = fuzzCases(key, 1, 3);
      rig.client.sendRaw('shell', [...frames.slice(0, 1), huge, huge, huge, huge, huge]);
      const info = await rig.client.request('shell', 'kernel_info_request', {});
      expect(info.reply?.content.status).toBe('ok');
      expect(rig.reports.join('')).toMatch(/refused a message on shell/);
    } finally {
      rig.close();
    }
  }, 120_000);
});
