/** Cells that break things: whoever runs one gets an answer that says what happened, and the next cell runs. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { plain, UserProcess } from './user-process.js';

let user: UserProcess;
beforeEach(async () => {
  user = new UserProcess();
  await user.until((all) => all.find((message) => message.type === 'ready'), 'the user thread');
});
afterEach(() => user.close());

describe('a cell that throws', () => {
  it('nothing (undefined) is shown as an error all the same', async () => {
    const { error, reply } = await user.run('throw undefined');
    expect(reply.status).toBe('error');
    expect(error).toMatchObject({ ename: 'undefined', evalue: 'undefined' });
  });

  it('what the engine does not even begin to run names the place', async () => {
    const { error } = await user.run('1;\n  return 5');
    expect(error?.ename).toBe('SyntaxError');
    expect(error?.traceback.map(plain).at(-1)).toBe('    at cell-1.ts:2:3');
    expect(plain(error!.traceback.join('\n'))).toContain('> 2 |   return 5');
  });

  it('after a program set its own Error.prepareStackTrace and took it away again has the cell’s frames only', async () => {
    await user.run('Error.prepareStackTrace = () => "mine"');
    expect((await user.run('new Error("x").stack')).result).toBe("'mine'");
    const { error } = await user.run('Error.prepareStackTrace = undefined; throw new Error("again")');
    expect(error?.traceback.map(plain).filter((line) => /^ +at /.test(line))).toEqual([
      '    at cell-3.ts:1:44',
    ]);
  });

  it('by a magic line shows no frames of the kernel or of Node', async () => {
    const { error } = await user.run('%install');
    expect(error?.traceback.join('\n')).not.toMatch(/^ +at /m);
  });
});

describe('a storm of rejections', () => {
  it('shows the first ones and counts the rest, in the cell while it runs', async () => {
    const { messages, reply, stderr } = await user.run(
      'for (let i = 0; i < 1000; i++) Promise.reject(new Error("storm " + i))',
    );
    expect(reply.status).toBe('error');
    expect(messages.filter((message) => message.type === 'error')).toHaveLength(20);
    expect(stderr).toBe('… 980 more errors nobody handled, such as Error: storm 999\n');
  });

  it('counts those of its late work, too', async () => {
    const storm = 'for (let i = 0; i < 100; i++) Promise.reject(new Error("late " + i))';
    await user.run(`setTimeout(() => { ${storm} }, 20); 1`, { id: 'late' });
    await user.until(
      () =>
        user.of('late').find((message) => message.type === 'stream' && message.text.startsWith('… 80 more')),
      'the count',
    );
    expect(user.of('late').filter((message) => message.type === 'error')).toHaveLength(20);
  });
});

describe('a cell that changes what everything needs', () => {
  it.each([
    ['timers by mocks', 'globalThis.setTimeout = globalThis.setImmediate = (() => 0) as never'],
    ['AbortController', 'globalThis.AbortController = null as never'],
    ['the listeners of the process', 'process.removeAllListeners("uncaughtException")'],
    ['globalThis, which it froze', 'Object.freeze(globalThis); 1'],
    ['JSON', 'JSON.stringify = () => "x"; JSON.parse = () => { throw 1 }'],
    ['stdout, which it ended', 'process.stdout.end("last words\\n"); 1'],
  ])('%s: later cells run, print, show and fail as before', async (_, code) => {
    await user.run(code);
    const ran = await user.run('console.log("alive"); ({ x: 1 })');
    expect(ran).toMatchObject({ stdout: 'alive\n', result: '{ x: 1 }', reply: { status: 'ok' } });
    expect((await user.run('throw new Error("mine")')).error?.evalue).toBe('mine');
  });

  it.each([
    ['Promise', 'globalThis.Promise = undefined as never'],
    ['Array.prototype.map', 'Array.prototype.map = () => { throw new Error("no map") }'],
    ['String.prototype.split', 'String.prototype.split = null as never'],
  ])(
    '%s: every later cell is answered, with its own error or with what the kernel lacks',
    async (_, code) => {
      await user.run(code);
      const { error, reply } = await user.run('throw new Error("mine")');
      expect(reply.status).toBe('error');
      expect(error?.evalue).toMatch(/^mine$|no map|restart the kernel/);
    },
  );

  it('takes all listeners of errors away and throws late: the kernel lives and shows the error', async () => {
    const off = ['unhandledRejection', 'uncaughtException'].map(
      (event) => `process.removeAllListeners('${event}');`,
    );
    const code =
      off.join(' ') +
      ' setTimeout(() => { throw new Error("late") }, 5); await new Promise((r) => setTimeout(r, 40))';
    expect((await user.run(code)).error?.evalue).toBe('late');
    expect((await user.run('2')).result).toBe('2');
  });
});

describe('stdout', () => {
  it('may be ended and piped into: what is given to end is printed and pipelines finish', async () => {
    expect((await user.run('process.stdout.end("bye\\n"); process.stdout.write("on\\n")')).stdout).toBe(
      'bye\non\n',
    );
    const piped = `const { pipeline } = process.getBuiltinModule('stream/promises'), { Readable } = process.getBuiltinModule('stream');
      await pipeline(Readable.from(['one\\n', 'two\\n']), process.stdout); console.log('piped')`;
    expect((await user.run(piped)).stdout).toBe('one\ntwo\npiped\n');
  });

  it('written to by its descriptor is the cell’s', async () => {
    const code = `const fs = process.getBuiltinModule('fs');
      const count = fs.writeSync(1, 'é€\\n') + fs.writeSync(2, Buffer.from('xerr\\n'), 1, 4);
      const more = await new Promise((resolve) => fs.write(1, 'later\\n', (error, written) => resolve(written)));
      const { bytesWritten } = await process.getBuiltinModule('util').promisify(fs.write)(1, Buffer.from('end\\n'));
      [count, more, bytesWritten].join()`;
    const ran = await user.run(code);
    expect(ran).toMatchObject({ stdout: 'é€\nlater\nend\n', stderr: 'err\n', result: "'10,6,4'" });
  });

  it('inherited by a program the cell waits for is the cell’s', async () => {
    const script = 'process.stdout.write("from below\\n"); console.error("and err")';
    const options = `{ stdio: 'inherit' }`;
    const code = `const child = process.getBuiltinModule('child_process');
      console.log('before');
      const nothing = child.execFileSync(process.execPath, ['-e', ${JSON.stringify(script)}], ${options});
      console.log('after', nothing);`;
    const ran = await user.run(code);
    expect(ran.stdout).toBe('before\nfrom below\nafter null\n');
    expect(ran.stderr).toBe('and err\n');
  });
});

describe('results', () => {
  it('that answer to every name or have no prototype are shown all the same', async () => {
    expect((await user.run('new Proxy({}, { has: () => true, get: () => () => 1 })')).result).toMatch(
      /^\{\}/,
    );
    expect((await user.run('Object.setPrototypeOf([1], null)')).result).toBe(
      '[Array(1): null prototype] [ 1 ]',
    );
  });

  it('that Node keeps contexts in name the cell and nothing of the kernel', async () => {
    const { result } = await user.run('setTimeout(() => 1, 1)');
    expect(result).toMatch(/^Timeout/);
    expect(result).not.toContain('Execution');
  });
});

describe('a silent cell', () => {
  it('leaves the last result as it is', async () => {
    await user.run('7');
    await user.run('8', { silent: true });
    expect((await user.run('_')).result).toBe('7');
  });
});
