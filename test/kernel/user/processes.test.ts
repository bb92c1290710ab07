import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { packageFolder } from '../../../kernel/user/commands.js';
import { root } from '../../structure/support.js';
import { UserProcess } from './user-process.js';

let user: UserProcess;
afterEach(() => user.close());

async function ready(): Promise<UserProcess> {
  user = new UserProcess();
  await user.until((all) => all.find((message) => message.type === 'ready'), 'the user thread');
  return user;
}

const WINDOWS = process.platform === 'win32';

describe('child processes of cells', () => {
  it('are told to the server when they start and end', async () => {
    await ready();
    const code = `const child = require('child_process').spawn(process.execPath, ['-e', '']);
      await new Promise((resolve) => child.on('close', resolve)); child.pid`;
    const { result } = await user.run(
      `{ ${code.replace('; child.pid', '')} ; globalThis.pid = child.pid }; pid`,
    );
    const told = user.all.filter((message) => message.type === 'child');
    expect(told).toEqual([
      { type: 'child', pid: Number(result), alive: true },
      { type: 'child', pid: Number(result), alive: false },
    ]);
  });

  it('that inherit the kernel’s output print into the cell', async () => {
    await ready();
    const code = `await new Promise((resolve) => require('child_process')
      .spawn(process.execPath, ['-e', 'console.log("from below"); console.error("and err")'], { stdio: 'inherit' })
      .on('close', resolve)); 0`;
    const { stdout, stderr } = await user.run(code);
    expect(stdout).toBe('from below\n');
    expect(stderr).toBe('and err\n');
  });
});

describe.skipIf(WINDOWS)('shell cells', () => {
  it('print as they run and are errors when they fail', async () => {
    await ready();
    const good = await user.run('%%sh\necho $((40 + 2))\npwd');
    expect(good.stdout).toBe(`42\n${user.folder}\n`);
    const bad = await user.run('%%sh\nexit 3');
    expect(bad.reply).toMatchObject({
      status: 'error',
      evalue: '%%sh: the program must end with exit code 0, got 3',
    });
  });

  it('end their program at an interrupt', async () => {
    await ready();
    const id = user.begin('%%sh\necho on\nexec sleep 300');
    await user.until(() => user.of(id).find((message) => message.type === 'stream'), 'the program');
    user.send({ type: 'interrupt', epoch: 1, id });
    expect((await user.end(id)).reply).toMatchObject({ ename: 'CellInterrupted' });
    await user.until((all) => all.find((message) => message.type === 'child' && !message.alive), 'its end');
  });
});

describe('magic lines', () => {
  it('refuse what npm would not take for a package', async () => {
    await ready();
    const { reply } = await user.run('%install a;rm');
    expect(reply).toMatchObject({ status: 'error', evalue: expect.stringContaining('got a;rm') as string });
    expect((await user.run('%install')).reply).toMatchObject({ status: 'error' });
  });

  it('that are not known are told with those that are', async () => {
    await ready();
    const { reply } = await user.run('%matplotlib inline');
    expect(reply).toMatchObject({
      ename: 'SyntaxError',
      evalue: expect.stringContaining('%install') as string,
    });
  });

  it('tell the time a cell took', async () => {
    await ready();
    expect((await user.run('%%time\n1')).stdout).toMatch(/^time: [\d.]+ m?s\n$/);
  });

  it('install where the nearest package.json is', () => {
    user = new UserProcess();
    expect(join(packageFolder(join(root, 'notebooks')), '/')).toBe(root);
    expect(packageFolder(user.folder)).toBe(user.folder);
    expect(existsSync(join(user.folder, 'package.json'))).toBe(false);
  });
});

describe('the end', () => {
  it('puts devices and connections away, says so, and an open timer does not keep the process', async () => {
    await ready();
    await user.run('setInterval(() => {}, 1000); 0');
    const id = user.begin('await new Promise(() => {})');
    user.send({ type: 'shutdown', restart: false });
    await user.until((all) => all.find((message) => message.type === 'closed'), 'the end');
    expect(user.of(id)).toEqual([]);
  });
});
