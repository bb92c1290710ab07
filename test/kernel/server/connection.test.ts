import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  address,
  CHANNELS,
  createConnectionFile,
  readConnectionFile,
} from '../../../kernel/server/connection.js';

const folder = mkdtempSync(join(tmpdir(), 'assay-connection-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'c.json');

describe('connection files', () => {
  test('a new one has five different ports, a key, and is for its owner only', async () => {
    const made = await createConnectionFile(file, { kernelName: 'assay' });
    expect(readConnectionFile(file)).toEqual(made);
    expect(new Set(CHANNELS.map((channel) => made[`${channel}_port`])).size).toBe(5);
    expect(made.key.length).toBeGreaterThan(20);
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o077).toBe(0);
  });

  test('addresses are written as ZeroMQ wants them for tcp, IPv6 and ipc', async () => {
    const tcp = await createConnectionFile(file);
    expect(address(tcp, 'shell')).toBe(`tcp://127.0.0.1:${tcp.shell_port}`);
    expect(address({ ...tcp, ip: '::1' }, 'hb')).toBe(`tcp://[::1]:${tcp.hb_port}`);
    const ipc = await createConnectionFile(file, { transport: 'ipc' });
    expect(address(ipc, 'iopub')).toBe(`ipc://${join(folder, 'c-ipc')}-${ipc.iopub_port}`);
  });

  test('transport and signature scheme have defaults', async () => {
    await createConnectionFile(file);
    const {
      transport: _,
      signature_scheme: __,
      ...rest
    } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify(rest));
    expect(readConnectionFile(file)).toMatchObject({ transport: 'tcp', signature_scheme: 'hmac-sha256' });
  });

  test.each([
    ['transport', 'udp'],
    ['ip', ''],
    ['key', 5],
    ['signature_scheme', 'md5'],
    ['shell_port', 'eighty'],
    ['hb_port', 70_000],
  ])('%s must be right, and a wrong one is named', async (name, value) => {
    await createConnectionFile(file);
    const content = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...content, [name]: value }));
    expect(() => readConnectionFile(file)).toThrow(`${name} must be`);
  });
});
