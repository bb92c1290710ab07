import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plain, printed, UserProcess } from './user-process.js';

let user: UserProcess;
beforeAll(async () => {
  user = new UserProcess();
  await user.until((all) => all.find((message) => message.type === 'ready'), 'the user thread');
});
afterAll(() => user.close());

describe('results', () => {
  it.each([
    ['1 + 1', '2'],
    ['-0', '-0'],
    ['NaN', 'NaN'],
    ['-Infinity', '-Infinity'],
    ['12345678901234567890n', '12345678901234567890n'],
    ['Symbol("s")', 'Symbol(s)'],
    ['null', 'null'],
    ['"text"', "'text'"],
    ['await Promise.resolve(7)', '7'],
  ])('shows the value of %s as the engine has it', async (code, text) => {
    expect((await user.run(code)).result).toBe(text);
  });

  it('shows nothing for undefined, and the value of a last expression with a semicolon', async () => {
    expect((await user.run('undefined')).result).toBeUndefined();
    expect((await user.run('let quiet = 5')).result).toBeUndefined();
    expect((await user.run('5;')).result).toBe('5');
  });

  it('shows the value itself, not a copy: its display hook runs', async () => {
    const code = "({ [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<b>x</b>' }) })";
    const { messages } = await user.run(code);
    const shown = messages.find((message) => message.type === 'display');
    expect(shown).toMatchObject({ kind: 'execute_result', data: { 'text/html': '<b>x</b>' } });
  });

  it('keeps the last result as _ until a cell declares it', async () => {
    await user.run('40 + 2');
    expect((await user.run('_')).result).toBe('42');
    expect((await user.run('var _ = 7; _ + 1 // #declares _')).result).toBe('8');
    expect((await user.run('_')).result).toBe('7');
  });

  it('sends no result of a silent cell', async () => {
    expect((await user.run('1 + 1', { silent: true })).result).toBeUndefined();
  });

  it('evaluates user expressions, each with its own error', async () => {
    const { reply } = await user.run('var ue = 3', { userExpressions: { good: 'ue * 2', bad: 'nope' } });
    expect(reply).toMatchObject({
      status: 'ok',
      userExpressions: {
        good: { status: 'ok', data: { 'text/plain': '6' } },
        bad: { status: 'error', ename: 'ReferenceError' },
      },
    });
  });
});

describe('printing', () => {
  it('sends what is printed at once, in order, also from a loop that lets nothing else run', async () => {
    const { messages, stdout } = await user.run('for (let i = 0; i < 2000; i++) console.log("line " + i)');
    expect(stdout.split('\n').slice(0, -1)).toEqual(Array.from({ length: 2000 }, (_, i) => `line ${i}`));
    expect(messages.filter((message) => message.type === 'stream').length).toBeGreaterThan(1);
  });

  it('joins a character whose bytes come in two writes', async () => {
    const code = "for (const byte of Buffer.from('é→')) process.stdout.write(Uint8Array.of(byte))";
    expect((await user.run(code)).stdout).toBe('é→');
  });

  it('calls back after a write and takes encodings', async () => {
    const code =
      "await new Promise((resolve) => process.stdout.write('aGk=', 'base64', resolve)); console.error('done')";
    const ran = await user.run(code);
    expect(ran.stdout).toBe('hi');
    expect(ran.stderr).toBe('done\n');
  });

  it('carries no colours unless the environment wants them', async () => {
    const ran = await user.run('console.log({ a: 1 }); ({ b: 2 })');
    expect(ran.stdout).toBe('{ a: 1 }\n');
    expect(ran.result).toBe('{ b: 2 }');
    const coloured = new UserProcess('plain', { FORCE_COLOR: '1' });
    try {
      const shown = await coloured.run('console.log({ a: 1 }); ({ b: 2 })');
      expect(shown.stdout).toBe('{ a: \u001b[33m1\u001b[39m }\n');
      expect(shown.result).toBe('{ b: \u001b[33m2\u001b[39m }');
    } finally {
      await coloured.close();
    }
  });

  it('indents groups and ends a group that a cell left open', async () => {
    const { stdout } = await user.run('console.group("g"); console.log({ a: 1 })');
    expect(stdout).toBe('g\n  { a: 1 }\n');
    expect((await user.run('console.log("flat")')).stdout).toBe('flat\n');
  });

  it('prints promises without the context Node keeps in them', async () => {
    expect(plain((await user.run('console.log(Promise.resolve(3))')).stdout)).toBe('Promise { 3 }\n');
  });

  it('stops sending some way above the limit and says how much was kept back', async () => {
    const code = "const line = 'z'.repeat(2 ** 20); for (let i = 0; i < 40; i++) process.stdout.write(line)";
    const { messages } = await user.run(`{ ${code} }`);
    const sent = printed(messages, 'stdout').length;
    expect(sent).toBe(22 * 2 ** 20);
    const [last] = messages.filter((message) => message.type === 'stream').slice(-1);
    expect(last).toMatchObject({ text: '', lost: 18 * 2 ** 20 });
  });

  it('clears the output on console.clear', async () => {
    const { messages } = await user.run('console.clear()');
    expect(messages).toContainEqual({ type: 'clear', id: expect.any(String) as string, wait: false });
  });
});

describe('outputs of late work', () => {
  it('belong to the cell whose timer or promise prints', async () => {
    const first = user.begin('setTimeout(() => console.log("late"), 200); 0');
    await user.end(first);
    const second = await user.run('console.log("other"); await new Promise((r) => setTimeout(r, 400))');
    expect(second.stdout).toBe('other\n');
    expect(printed(user.of(first), 'stdout')).toBe('late\n');
  });

  it('are told apart when cells run side by side', async () => {
    const cell = (name: string) =>
      `for (let i = 0; i < 5; i++) { console.log('${name}' + i); await new Promise((r) => setTimeout(r, 10)); }`;
    const [a, b] = [user.begin(cell('a')), user.begin(cell('b'))];
    expect((await user.end(a)).stdout).toBe('a0\na1\na2\na3\na4\n');
    expect((await user.end(b)).stdout).toBe('b0\nb1\nb2\nb3\nb4\n');
  });

  it('go to the sink of the code that makes them', async () => {
    const code = `const host = globalThis[Symbol.for('assay.kernel')]; const seen = [];
      await host.withSink((output) => seen.push(output), async () => {
        console.log('in'); await new Promise((r) => setTimeout(r, 5)); console.log('later');
      });
      console.log(seen.map((output) => output.text).join('|'))`;
    expect((await user.run(`{ ${code} }`)).stdout).toBe('in\n|later\n\n');
  });
});

describe('errors', () => {
  it('carry name, message, the code frame of the own line and the frames of the cell alone', async () => {
    const { reply, error } = await user.run('function ff() {\n  throw new TypeError("boom");\n}\nff();');
    expect(reply).toMatchObject({ status: 'error', ename: 'TypeError', evalue: 'boom' });
    const text = plain(error!.traceback.join('\n'));
    expect(text).toMatch(/> 2 \| {3}throw new TypeError/);
    const frames = text.split('\n').filter((line) => /^\s+at /.test(line));
    expect(frames).toEqual([
      expect.stringMatching(/at ff \(cell-\d+\.ts:2:9\)/),
      expect.stringMatching(/at cell-\d+\.ts:4:1/),
    ]);
  });

  it('of awaited work, of causes and of thrown values that are no errors are told', async () => {
    expect((await user.run('await Promise.reject(new RangeError("later"))')).reply).toMatchObject({
      ename: 'RangeError',
      evalue: 'later',
    });
    const caused = await user.run('throw new Error("outer", { cause: new Error("inner") })');
    expect(plain(caused.error!.traceback.join('\n'))).toMatch(/caused by Error: inner/);
    expect((await user.run('throw "just text"')).reply).toMatchObject({
      status: 'error',
      evalue: 'just text',
    });
    expect((await user.run('throw undefined')).reply).toMatchObject({ status: 'error' });
    expect((await user.run('throw { code: 5 }')).reply.status).toBe('error');
  });

  it('of promises nobody handles make the reply of their running cell an error, told once', async () => {
    const ran = await user.run('Promise.reject(new Error("nobody")); console.log("went on")');
    expect(ran.stdout).toBe('went on\n');
    expect(ran.reply).toMatchObject({ status: 'error', evalue: 'nobody' });
    expect(ran.messages.filter((message) => message.type === 'error')).toHaveLength(1);
  });

  it('of timers of a finished cell are shown in that cell and end nothing', async () => {
    const id = user.begin('setTimeout(() => { throw new Error("timer") }, 20); 0');
    expect((await user.end(id)).reply.status).toBe('ok');
    await user.until(() => user.of(id).find((message) => message.type === 'error'), 'the late error');
    expect((await user.run('1 + 1')).result).toBe('2');
  });

  it('show own lines in error.stack too', async () => {
    const { stdout } = await user.run('\nconsole.log(new Error("e").stack)');
    expect(stdout).toMatch(/^Error: e\n {4}at cell-\d+\.ts:2:13\n$/);
  });

  it('name the way out where a program would end the process', async () => {
    const { reply } = await user.run('process.exit(0)');
    expect(reply).toMatchObject({
      status: 'error',
      evalue: expect.stringContaining('Restart Kernel') as string,
    });
    expect(user.alive).toBe(true);
  });

  it('of refused cells show the place and the way around, and nothing runs', async () => {
    const types = await user.run('globalThis.ran = 1 // #refuse types');
    expect(types.reply).toMatchObject({ status: 'error', ename: 'TS2322', evalue: 'must not' });
    expect(plain(types.error!.traceback.join('\n'))).toMatch(/%%nocheck/);
    const syntax = await user.run('globalThis.ran = 1 // #refuse syntax');
    expect(syntax.reply).toMatchObject({ status: 'error', ename: 'SyntaxError' });
    expect((await user.run('typeof ran')).result).toBe("'undefined'");
  });

  it('of types are not looked for where a comment or a magic line says so', async () => {
    expect((await user.run('// @ts-nocheck\n1 // #refuse types')).reply.status).toBe('ok');
    expect((await user.run('%%nocheck\n2 // #refuse types')).reply.status).toBe('ok');
    expect((await user.run('// assay: types off\n3 // #refuse types')).reply.status).toBe('ok');
    expect((await user.run('4 // #refuse types')).reply.status).toBe('ok');
    expect((await user.run('// assay: types on\n5 // #refuse types')).reply.status).toBe('error');
  });

  it('that may come of an un-awaited promise are a note, and the cell runs', async () => {
    const ran = await user.run('async function f() {} f(); 5 // #floating');
    expect(ran.result).toBe('5');
    expect(plain(ran.stderr)).toMatch(/note: not awaited/);
  });
});

describe('the cell handle', () => {
  it('is the running cell, with a signal that aborts at its interrupt', async () => {
    const id = user.begin(
      'var reason; cell.signal.onabort = () => { reason = cell.signal.reason.name }; console.log("on"); await new Promise(() => {})',
    );
    await user.until(() => user.of(id).find((message) => message.type === 'stream'), 'the cell');
    user.send({ type: 'interrupt', epoch: 1, id });
    expect((await user.end(id)).reply).toMatchObject({ ename: 'CellInterrupted', evalue: 'interrupted' });
    expect((await user.run('reason')).result).toBe("'CellInterrupted'");
    expect((await user.run('cell.count > 1 && !cell.signal.aborted')).result).toBe('true');
  });

  it('and the other names are not listed among the globals', async () => {
    const { result } = await user.run(
      "['cell', '__assay', 'require', 'prompt', '__dirname'].filter((name) => Object.keys(globalThis).includes(name)).length",
    );
    expect(result).toBe('0');
    expect((await user.run('typeof __assay.import + typeof require("os").cpus + __dirname')).result).toBe(
      `'functionfunction${user.folder}'`,
    );
  });
});

describe('live objects', () => {
  it('tell their names without running getters', async () => {
    await user.run('var live = { alpha: 1, get beta() { globalThis.ranGetter = true; return 2 } }');
    const ask = async (ask: number, expression: string) => {
      user.send({ type: 'members', ask, expression });
      const found = await user.until(
        (all) => all.find((message) => message.type === 'members' && message.ask === ask),
        'the names',
      );
      return found.type === 'members' ? found.names : [];
    };
    expect(await ask(1, 'live')).toEqual(expect.arrayContaining(['alpha', 'beta', 'hasOwnProperty']));
    expect(await ask(2, 'live.beta')).toEqual([]);
    expect(await ask(3, '"text"')).toEqual(expect.arrayContaining(['length', 'slice']));
    expect(await ask(4, 'nowhere.at.all')).toEqual([]);
    expect((await user.run('typeof ranGetter')).result).toBe("'undefined'");
  });
});
