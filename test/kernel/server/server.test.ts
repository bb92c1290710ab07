import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ClientMessage } from '../../../kernel/run/kernel-client.js';
import { failure, later, OK, shape, startRig, streamText, until, type Rig } from './support.js';

let rig: Rig;
beforeAll(async () => (rig = await startRig()));
afterAll(() => rig.close());
beforeEach(() => {
  rig.onMessage = () => {};
  rig.heard.length = 0;
});

const run = (code: string, options = {}) => rig.client.execute(code, options);
const ask = (type: string, content = {}) => rig.client.request('shell', type, content);
const control = (type: string, content = {}) => rig.client.request('control', type, content);

describe('executing', () => {
  test('busy, input, outputs, idle, in this order, and a reply with the count', async () => {
    rig.cells.outputs = (cell, post) => {
      post({ type: 'stream', id: cell.id, name: 'stdout', text: 'out' });
      const data = { 'text/plain': '5' };
      post({ type: 'display', id: cell.id, kind: 'execute_result', data, metadata: {}, count: cell.count });
      return OK;
    };
    const first = await run('outputs');
    const second = await run('outputs');
    expect(shape(first)).toEqual(['busy', 'execute_input', 'stream', 'execute_result', 'idle']);
    const count = first.reply?.content.execution_count as number;
    expect(first.reply?.content).toEqual({
      status: 'ok',
      execution_count: count,
      user_expressions: {},
      payload: [],
    });
    expect(first.messages[1].content).toEqual({ code: 'outputs', execution_count: count });
    expect(second.reply?.content.execution_count).toBe(count + 1);
    expect(first.messages.every(({ parent }) => parent.msg_id === first.id)).toBe(true);
  });

  test('a silent or unstored cell does not count, and a silent one shows neither input nor result', async () => {
    const count = (await run('outputs')).reply?.content.execution_count as number;
    const silent = await run('outputs', { silent: true });
    expect(shape(silent)).toEqual(['busy', 'stream', 'idle']);
    expect(shape(await run('outputs', { storeHistory: false }))).toContain('execute_input');
    expect((await run('outputs')).reply?.content.execution_count).toBe(count + 1);
  });

  test('user expressions and the front end’s cell id reach the user thread', async () => {
    const userExpressions = { a: 'x + 1' };
    await run('expressions', { userExpressions, metadata: { cellId: 'cell-7' } });
    const heard = rig.heard.find((message) => message.type === 'execute');
    expect(heard).toMatchObject({ cell: { userExpressions, cellId: 'cell-7', allowStdin: false } });
  });

  test('an error aborts the requests that wait, and later ones run again', async () => {
    rig.cells.fail = async () => {
      await later(20);
      return failure('no');
    };
    const all = await Promise.all([run('fail'), run('after'), run('after')]);
    expect(all.map(({ reply }) => reply?.content.status)).toEqual(['error', 'aborted', 'aborted']);
    expect(all[0].reply?.content).toMatchObject({ ename: 'Error', evalue: 'no', traceback: ['Error: no'] });
    expect(shape(all[1])).toEqual(['busy', 'idle']);
    expect((await run('after')).reply?.content.status).toBe('ok');
  });

  test('requests sent one by one before the failing one replies are aborted too', async () => {
    rig.cells['fail at once'] = () => failure('no');
    const failing = run('fail at once');
    await later(15);
    const second = run('after');
    await later(15);
    const third = run('after');
    const all = await Promise.all([failing, second, third]);
    expect(all.map(({ reply }) => reply?.content.status)).toEqual(['error', 'aborted', 'aborted']);
  });

  test('without stop_on_error the queue goes on', async () => {
    const both = await Promise.all([run('fail', { stopOnError: false }), run('after')]);
    expect(both.map(({ reply }) => reply?.content.status)).toEqual(['error', 'ok']);
  });

  test('queued cells run one after the other; questions are answered meanwhile', async () => {
    let end = () => {};
    rig.cells.long = () => new Promise((resolve) => (end = () => resolve(OK)));
    const order: string[] = [];
    rig.client.onIopub = ({ type, content }: ClientMessage) => {
      if (type === 'execute_input') order.push(String(content.code));
    };
    const long = run('long');
    const short = run('short');
    for (const type of ['kernel_info_request', 'history_request', 'comm_info_request', 'complete_request'])
      expect((await ask(type, { code: '', hist_access_type: 'tail', n: 1 })).reply?.content.status).toBe(
        'ok',
      );
    expect((await control('kernel_info_request')).reply?.content.status).toBe('ok');
    expect(await rig.client.heartbeat()).toBe(true);
    expect(order).toEqual(['long']);
    end();
    await Promise.all([long, short]);
    expect(order).toEqual(['long', 'short']);
  });

  test('output of an ended cell goes to that cell', async () => {
    let late: ClientMessage | undefined;
    let id = '';
    rig.cells.late = (cell) => {
      id = cell.id;
      return OK;
    };
    await run('late');
    await run('other');
    rig.client.onIopub = (message) => (late = message.type === 'stream' ? message : late);
    rig.post({ type: 'stream', id, name: 'stdout', text: 'LATE' });
    await until('the late output', () => late !== undefined);
    expect(late?.parent.msg_id).toBe(id);
  });

  test('an output that no JSON can hold is reported in its cell and loses nothing else', async () => {
    rig.cells.bigint = (cell, post) => {
      const data = { 'application/json': { n: 5n } };
      post({ type: 'display', id: cell.id, kind: 'display_data', data, metadata: {} });
      post({ type: 'stream', id: cell.id, name: 'stdout', text: 'still here' });
      return OK;
    };
    const done = await run('bigint');
    expect(streamText(done, 'stderr')).toContain('could not be sent');
    expect(streamText(done, 'stdout')).toBe('still here');
  });
});

describe('subshells', () => {
  test('run beside the main shell and beside each other', async () => {
    const created = await Promise.all([1, 2].map(() => control('create_subshell_request')));
    const ids = created.map(({ reply }) => String(reply?.content.subshell_id));
    expect(new Set(ids).size).toBe(2);
    expect((await control('list_subshell_request')).reply?.content.subshell_id).toEqual(ids);
    let end = () => {};
    rig.cells.long = () => new Promise((resolve) => (end = () => resolve(OK)));
    const long = run('long');
    for (const subshell of ids) expect((await run('beside', { subshell })).reply?.content.status).toBe('ok');
    end();
    await long;
    for (const subshell_id of ids)
      expect((await control('delete_subshell_request', { subshell_id })).reply?.content.status).toBe('ok');
    expect((await control('list_subshell_request')).reply?.content.subshell_id).toEqual([]);
  });

  test('one that does not exist is an error, not silence', async () => {
    expect((await run('x', { subshell: 'nowhere' })).reply?.content.status).toBe('error');
    const deleted = await control('delete_subshell_request', { subshell_id: 'nowhere' });
    expect(deleted.reply?.content).toMatchObject({ status: 'error', ename: 'BadRequest' });
  });
});

describe('comms', () => {
  const send = (type: string, content: object, buffers: Uint8Array[] = []) =>
    rig.client.request('shell', type, { ...content }, { waitReply: false, buffers, metadata: { v: '2' } });

  test('messages of the front end arrive with data, metadata and buffers, and are idle when handled', async () => {
    rig.onMessage = (message) => {
      if (message.type === 'comm') rig.post({ type: 'comm-done', id: message.id ?? '' });
    };
    await send('comm_open', { comm_id: 'c1', target_name: 'probe', data: { a: 1 } });
    const done = await send('comm_msg', { comm_id: 'c1', data: { b: 2 } }, [new Uint8Array([7, 8])]);
    expect(shape(done)).toEqual(['busy', 'idle']);
    expect(rig.heard.map((message) => message.type === 'comm' && message.kind)).toEqual(['open', 'msg']);
    expect(rig.heard[0]).toMatchObject({ commId: 'c1', targetName: 'probe', data: { a: 1 } });
    const heard = rig.heard[1];
    if (heard.type !== 'comm') throw new Error('no comm message');
    expect(heard).toMatchObject({ id: done.id, data: { b: 2 }, metadata: { v: '2' } });
    expect([...(heard.buffers?.[0] ?? [])]).toEqual([7, 8]);
    expect((await ask('comm_info_request')).reply?.content.comms).toEqual({ c1: { target_name: 'probe' } });
    const other = await ask('comm_info_request', { target_name: 'other' });
    expect(other.reply?.content.comms).toEqual({});
    await send('comm_close', { comm_id: 'c1', data: {} });
    expect((await ask('comm_info_request')).reply?.content.comms).toEqual({});
  });

  test('messages of a cell go out with metadata and buffers, as outputs of that cell', async () => {
    const buffers = [new Uint8Array([1, 2, 3])];
    rig.cells.opens = (cell, post) => {
      const about = { type: 'comm' as const, id: cell.id, commId: 'k1' };
      post({
        ...about,
        kind: 'open',
        targetName: 'w',
        data: { s: 1 },
        metadata: { version: '2.1.0' },
        buffers,
      });
      post({ ...about, kind: 'msg', data: { s: 2 } });
      post({ ...about, kind: 'close', data: {} });
      return OK;
    };
    const done = await run('opens');
    expect(shape(done)).toEqual(['busy', 'execute_input', 'comm_open', 'comm_msg', 'comm_close', 'idle']);
    const open = done.messages[2];
    expect(open.content).toEqual({ comm_id: 'k1', target_name: 'w', data: { s: 1 } });
    expect(open.metadata).toEqual({ version: '2.1.0' });
    expect([...open.buffers[0]]).toEqual([1, 2, 3]);
  });

  test('a message to a comm that is not open changes nothing', async () => {
    expect(shape(await send('comm_msg', { comm_id: 'nobody', data: {} }))).toEqual(['busy', 'idle']);
    expect(rig.heard).toEqual([]);
  });

  test('an open comm is served while a cell runs; a new one waits for the cells before it', async () => {
    rig.onMessage = (message) => {
      if (message.type === 'comm') rig.post({ type: 'comm-done', id: message.id ?? '' });
    };
    await send('comm_open', { comm_id: 'c2', target_name: 'probe', data: {} });
    let end = () => {};
    rig.cells.long = () => new Promise((resolve) => (end = () => resolve(OK)));
    const long = run('long');
    await send('comm_msg', { comm_id: 'c2', data: {} });
    const opened = send('comm_open', { comm_id: 'c3', target_name: 'probe', data: {} });
    await later(50);
    const kinds = () => rig.heard.filter((message) => message.type === 'comm').length;
    expect(kinds()).toBe(2);
    end();
    await Promise.all([long, opened]);
    expect(kinds()).toBe(3);
  });
});

describe('input', () => {
  const question = (id: string, sync: boolean, password = false) =>
    ({ type: 'input', id, ask: 1, prompt: 'name?', password, sync }) as const;

  test('an asynchronous question is answered by the front end that runs the cell', async () => {
    rig.cells.asks = (cell, post) =>
      new Promise((resolve) => {
        rig.onMessage = (message) => {
          if (message.type !== 'input') return;
          post({ type: 'stream', id: cell.id, name: 'stdout', text: message.value });
          resolve(OK);
        };
        post(question(cell.id, false, true));
      });
    const seen: unknown[] = [];
    const long = 'ä'.repeat(200_000);
    const onInput = (...asked: unknown[]) => {
      seen.push(asked);
      return long;
    };
    expect(streamText(await run('asks', { onInput }))).toBe(long);
    expect(seen).toEqual([['name?', true]]);
  });

  test('a synchronous one is answered in shared memory, also to a reply that names no parent', async () => {
    const state = new Int32Array(rig.input, 0, 2);
    const text = () => Buffer.from(new Uint8Array(rig.input, 8).slice(0, state[1])).toString();
    rig.cells.sleeps = async (cell, post) => {
      Atomics.store(state, 0, 0);
      post(question(cell.id, true));
      await until('the answer', () => Atomics.load(state, 0) !== 0);
      return failure(`${state[0]} ${text()}`);
    };
    const told = async (value: string) =>
      (await run('sleeps', { onInput: () => value })).reply?.content.evalue;
    expect(await told('böb')).toBe('1 böb');
    expect(await told('x'.repeat(70_000))).toMatch(/^3 prompt: the answer must have at most 65528 bytes/);
    const silent = run('sleeps', { onInput: () => new Promise<string>(() => {}) });
    await later(100);
    rig.client.send('stdin', 'input_reply', { value: 'no parent' });
    expect((await silent).reply?.content.evalue).toBe('1 no parent');
  });

  test('an interrupt wakes a thread that sleeps for an answer', async () => {
    const waiting = run('sleeps', { onInput: () => new Promise<string>(() => {}) });
    await later(100);
    await rig.client.interrupt();
    expect((await waiting).reply?.content.evalue).toMatch(/^2/);
  });

  test('a question is refused where the front end takes none', async () => {
    expect((await run('sleeps')).reply?.content.evalue).toMatch(/^3 input: the front end/);
    rig.cells.refused = (cell, post) =>
      new Promise((resolve) => {
        rig.onMessage = (message) => {
          if (message.type === 'input') resolve(failure(message.error ?? 'answered'));
        };
        post(question(cell.id, false));
      });
    expect((await run('refused')).reply?.content.evalue).toMatch(/^input: the front end/);
  });
});

describe('what the kernel says about itself', () => {
  test('kernel_info names protocol, language, features, and the adapter once it is known', async () => {
    const { reply } = await ask('kernel_info_request');
    expect(reply?.content).toMatchObject({
      status: 'ok',
      protocol_version: '5.5',
      implementation: 'assay',
      language_info: { name: 'typescript', file_extension: '.ts', mimetype: 'text/typescript' },
      debugger: true,
      supported_features: ['debugger', 'kernel subshells'],
    });
    expect((reply?.content.language_info as { version: string }).version).toMatch(/^5\.\d+\.\d+$/);
    rig.post({ type: 'adapter', text: 'GPU: a fine adapter' });
    await later(50);
    const { banner } = (await control('kernel_info_request')).reply!.content;
    expect(banner).toContain('GPU: a fine adapter');
  });

  test('an unknown message has busy and idle and no reply', async () => {
    const done = await rig.client.request('shell', 'no_such_request', {}, { waitReply: false });
    expect(shape(done)).toEqual(['busy', 'idle']);
    for (const type of ['toString', 'constructor', '__proto__']) {
      const odd = await rig.client.request('control', type, {}, { waitReply: false });
      expect(odd.reply).toBeUndefined();
    }
  });

  test('connect_request names the ports', async () => {
    const { reply } = await ask('connect_request');
    expect(reply?.content.shell_port).toBe(rig.client.connection.shell_port);
  });

  test.each([
    ['execute_request', { code: 5 }],
    ['execute_request', {}],
    ['execute_request', { code: '1', silent: 'yes' }],
    ['execute_request', { code: '1', user_expressions: [1] }],
    ['execute_request', { code: '1', stop_on_error: 3 }],
    ['complete_request', { code: {} }],
    ['inspect_request', { code: 'a', cursor_pos: 'end' }],
    ['is_complete_request', {}],
    ['history_request', { hist_access_type: 7 }],
    ['comm_info_request', { target_name: 7 }],
  ])('%s with %j is answered with an error', async (type, content) => {
    const { reply } = await ask(type, content);
    expect(reply?.content).toMatchObject({ status: 'error', ename: 'BadRequest' });
  });

  test('history requests are answered from this session', async () => {
    await run('remember me');
    const { reply } = await ask('history_request', { hist_access_type: 'search', pattern: 'remember*' });
    expect((reply?.content.history as unknown[][]).at(-1)?.[2]).toBe('remember me');
  });
});

describe('starting', () => {
  test('a front end that subscribes is welcomed and told that the kernel starts; over ipc too', async () => {
    if (process.platform === 'win32') return;
    const other = await startRig({ transport: 'ipc' });
    try {
      expect((await other.client.execute('x')).reply?.content.status).toBe('ok');
    } finally {
      other.close();
    }
  });
});
