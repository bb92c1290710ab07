import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { KernelClient, KernelDied, KernelTimeout } from '../../../kernel/run/kernel-client.js';
import { kernelDist } from '../../support/kernel-dist.js';
import { later, streamText, until } from './support.js';

const entry = join(kernelDist(), 'kernel', 'user', 'main.js');
const env = { ASSAY_HISTORY: 'off' };
let cwd: string;
let client: KernelClient | undefined;

beforeAll(() => void (cwd = mkdtempSync(join(tmpdir(), 'assay-live-'))));
afterEach(async () => client?.kill());
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

async function launch(transport: 'tcp' | 'ipc' = 'tcp'): Promise<KernelClient> {
  client = await KernelClient.launch({ entry, cwd, env, transport });
  return client;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a live kernel', () => {
  test('prints 100,000 lines completely and in order, in few messages', async () => {
    const kernel = await launch();
    const done = await kernel.execute('for (let i = 0; i < 100_000; i++) console.log(`line ${i}`);');
    const lines = streamText(done, 'stdout').split('\n');
    expect(lines.length).toBe(100_001);
    expect(lines.slice(0, -1).findIndex((line, i) => line !== `line ${i}`)).toBe(-1);
    expect(done.messages.length).toBeLessThan(1000);
    expect(done.idle).toBe(true);
  });

  test('100 MB of output is cut off with a note, and the kernel goes on', async () => {
    const kernel = await launch();
    const code = "for (let i = 0; i < 100; i++) process.stdout.write('x'.repeat(1024 * 1024 - 1) + '\\n');";
    const done = await kernel.execute(code);
    expect(done.reply?.content.status).toBe('ok');
    expect(streamText(done, 'stdout').length).toBe(20 * 1024 * 1024);
    expect(streamText(done, 'stderr')).toMatch(/truncated here[^]*not shown: 83,886,080/);
    expect((await kernel.execute('1 + 1')).reply?.content.status).toBe('ok');
  });

  test('answers control and heartbeat while a loop prints without end, and the interrupt stops it', async () => {
    const kernel = await launch();
    const loop = kernel.execute("for (;;) console.log('x'.repeat(100));");
    await later(500);
    expect((await kernel.request('control', 'kernel_info_request', {})).reply?.content.status).toBe('ok');
    expect(await kernel.heartbeat(10_000)).toBe(true);
    await kernel.interrupt();
    expect((await loop).reply?.content.status).toBe('error');
    expect((await kernel.execute('1 + 1')).reply?.content.status).toBe('ok');
  });

  test('runs cells of a subshell while a cell of the main shell waits', async () => {
    const kernel = await launch();
    const made = await kernel.request('control', 'create_subshell_request', {});
    const subshell = String(made.reply?.content.subshell_id);
    const main = kernel.execute(
      'let free = () => {}; await new Promise<void>((resolve) => { free = resolve; }); console.log("main")',
    );
    await later(300);
    const beside = await kernel.execute('console.log("beside"); free();', { subshell });
    expect(streamText(beside)).toBe('beside\n');
    expect(streamText(await main)).toBe('main\n');
  });

  test('asks the front end, asleep and awake', async () => {
    const kernel = await launch();
    const onInput = (prompt: string) => `${prompt.trim()}!`;
    const code = "import { input } from 'assay/notebook'; console.log(prompt('a'), await input('b'));";
    expect(streamText(await kernel.execute(code, { onInput }))).toBe('a! b!\n');
    const long = await kernel.execute("prompt('c')", { onInput: () => 'x'.repeat(100_000) });
    expect(long.reply?.content).toMatchObject({ status: 'error' });
    expect(long.reply?.content.evalue).toContain('at most 65528 bytes');
  });

  test('runs over ipc where there are Unix sockets', async () => {
    if (process.platform === 'win32') return;
    const kernel = await launch('ipc');
    expect((await kernel.execute('1 + 1')).reply?.content.status).toBe('ok');
  });
});

describe('the end of a kernel', () => {
  const CASES: [string, string | undefined][] = [
    ['idle', undefined],
    ['with an open timer', 'setInterval(() => {}, 1000);'],
    ['in an endless await', 'for (;;) await new Promise((resolve) => setTimeout(resolve, 20));'],
    ['in an endless loop', 'for (;;) {}'],
  ];
  test.each(CASES)('%s: the reply echoes restart and the process goes by itself', async (_, code) => {
    const kernel = await launch();
    await kernel.execute('1');
    if (code) kernel.execute(code).catch(() => {});
    await later(300);
    const { reply } = await kernel.request(
      'control',
      'shutdown_request',
      { restart: true },
      { waitIdle: false },
    );
    expect(reply?.content).toEqual({ status: 'ok', restart: true });
    await until('the end of the process', () => !kernel.alive);
  });

  test('shutdown_request on the shell channel works as well', async () => {
    const kernel = await launch();
    const { reply } = await kernel.request(
      'shell',
      'shutdown_request',
      { restart: false },
      { waitIdle: false },
    );
    expect(reply?.content).toEqual({ status: 'ok', restart: false });
    await kernel.kernel.exited;
  });

  test('takes the child processes of cells and their children along', async () => {
    if (process.platform === 'win32') return;
    const kernel = await launch();
    const done = await kernel.execute(`
      import { spawn } from 'node:child_process';
      const shell = spawn('sh', ['-c', 'sleep 300 & echo $!; wait']);
      const inner = await new Promise((resolve) => shell.stdout.once('data', (data) => resolve(String(data).trim())));
      const own = spawn('sleep', ['300'], { detached: true });
      console.log([shell.pid, inner, own.pid].join(' '));`);
    const pids = streamText(done, 'stdout').trim().split(' ').map(Number);
    expect(pids).toHaveLength(3);
    expect(pids.every(isAlive)).toBe(true);
    expect(await kernel.shutdown()).toBe(true);
    await until('the end of the children', () => !pids.some(isAlive));
  });

  test('comes when the process that started it is gone', async () => {
    if (process.platform === 'win32') return;
    const kernel = await launch();
    const file = join(cwd, 'connection.json');
    const code = `
      const { createConnectionFile } = await import(process.argv[1]);
      await createConnectionFile(process.argv[2]);
      const { spawn } = await import('node:child_process');
      const env = { ...process.env, JPY_PARENT_PID: String(process.pid) };
      const child = spawn(process.execPath, [process.argv[3], process.argv[2]], { env, stdio: 'ignore', detached: true });
      process.stdout.write(String(child.pid));
      setInterval(() => {}, 1000);`;
    const connection = join(kernelDist(), 'kernel', 'server', 'connection.js');
    const parent = spawn(process.execPath, ['--input-type=module', '-e', code, connection, file, entry], {
      cwd,
    });
    const pid = await new Promise<number>((resolve) =>
      parent.stdout.once('data', (data: Buffer) => resolve(Number(data.toString()))),
    );
    const other = await KernelClient.attach(file);
    expect((await other.execute('1 + 1')).reply?.content.status).toBe('ok');
    parent.kill('SIGKILL');
    await until('the end of the orphan', () => !isAlive(pid));
    other.close();
    expect(kernel.alive).toBe(true);
  });
});

describe('a client', () => {
  test('is told when the kernel dies under a request', async () => {
    const kernel = await launch();
    const open = kernel.execute('for (;;) {}');
    await later(200);
    kernel.process.kill('SIGKILL');
    await expect(open).rejects.toThrow(KernelDied);
    await expect(kernel.execute('1')).rejects.toThrow(/could not be sent/);
  });

  test('gets what had arrived when it has waited long enough', async () => {
    const kernel = await launch();
    await kernel.execute('1');
    const error = await kernel
      .execute("console.log('so far'); await new Promise(() => {});", { timeoutMs: 1500 })
      .catch((thrown: unknown) => thrown);
    if (!(error instanceof KernelTimeout)) throw new Error('no timeout');
    expect(streamText(error.exchange)).toBe('so far\n');
  });

  test('says what a kernel that does not start printed', async () => {
    const argv = [process.execPath, '-e', "console.error('no such kernel'); process.exit(3)"];
    await expect(KernelClient.launch({ argv, cwd })).rejects.toThrow(/exit code 3[^]*no such kernel/);
    await expect(KernelClient.launch({ cwd })).rejects.toThrow('must name entry or argv');
    await expect(KernelClient.launch({ argv: [join(cwd, 'nothing')], cwd })).rejects.toThrow(/ENOENT/);
  });
});
