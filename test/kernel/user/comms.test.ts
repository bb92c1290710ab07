import { describe, expect, it } from 'vitest';
import type { FromUser } from '../../../kernel/threads/messages.js';
import { Comms } from '../../../kernel/user/comms.js';
import {
  currentExecution,
  Execution,
  interruptExecution,
  runIn,
  running,
} from '../../../kernel/user/executions.js';

function setUp() {
  const sent: FromUser[] = [];
  const failed: { error: unknown; where: string }[] = [];
  const comms = new Comms({
    send: (message) => void sent.push(message),
    fail: (error, execution) => void failed.push({ error, where: execution.outputId }),
  });
  return { comms, sent, failed };
}

const cell = new Execution('cell-request', 4);

describe('comms opened by a cell', () => {
  it('say which execution opened them and take messages with buffers', async () => {
    const { comms, sent } = setUp();
    const got: unknown[] = [];
    const comm = runIn(cell, () => comms.openComm('widget', { a: 1 }, { v: 2 }, [Uint8Array.of(1)]));
    comm.onMessage((data, buffers) => {
      got.push(
        data,
        buffers[0],
        currentExecution()?.id,
        currentExecution()?.outputId,
        currentExecution()?.count,
      );
    });
    const { commId } = comm;
    await comms.receive({
      type: 'comm',
      kind: 'msg',
      id: 'm1',
      commId,
      data: 'hi',
      buffers: [Uint8Array.of(7)],
    });
    expect(sent).toEqual([
      {
        type: 'comm',
        kind: 'open',
        id: 'cell-request',
        commId,
        targetName: 'widget',
        data: { a: 1 },
        metadata: { v: 2 },
        buffers: [Uint8Array.of(1)],
      },
      { type: 'comm-done', id: 'm1' },
    ]);
    expect(got).toEqual(['hi', Uint8Array.of(7), 'm1', 'cell-request', 4]);
  });

  it('show what a handler throws in the cell that opened them', async () => {
    const { comms, failed, sent } = setUp();
    const comm = runIn(cell, () => comms.openComm('widget', {}));
    comm.onMessage(async () => {
      await Promise.resolve();
      throw new Error('handler');
    });
    await comms.receive({ type: 'comm', kind: 'msg', id: 'm2', commId: comm.commId, data: null });
    expect(failed).toEqual([
      { error: expect.objectContaining({ message: 'handler' }) as Error, where: 'cell-request' },
    ]);
    expect(sent.at(-1)).toEqual({ type: 'comm-done', id: 'm2' });
  });

  it('let an interrupted handler go at once', async () => {
    const { comms, failed } = setUp();
    const comm = runIn(cell, () => comms.openComm('widget', {}));
    comm.onMessage(() => new Promise(() => {}));
    const handled = comms.receive({ type: 'comm', kind: 'msg', id: 'm3', commId: comm.commId, data: null });
    for (const execution of running()) interruptExecution(execution);
    await handled;
    expect([...running()]).toEqual([]);
    expect(failed).toEqual([]);
  });

  it('refuse to send once closed, and closing twice is closing once', async () => {
    const { comms, sent } = setUp();
    const comm = comms.openComm('widget', {});
    comm.close({ bye: 1 });
    comm.close();
    expect(sent.filter((message) => message.type === 'comm' && message.kind === 'close')).toHaveLength(1);
    expect(() => comm.send(1)).toThrow('comm widget: must be open to send, got a closed one');
  });
});

describe('comms opened by the front end', () => {
  it('reach the handler of their target, and answer an unknown target by closing', async () => {
    const { comms, sent } = setUp();
    comms.registerTarget('probe', (comm, data) => comm.send({ echo: data }));
    await comms.receive({ type: 'comm', kind: 'open', id: 'o1', commId: 'c1', targetName: 'probe', data: 5 });
    await comms.receive({
      type: 'comm',
      kind: 'open',
      id: 'o2',
      commId: 'c2',
      targetName: 'nobody',
      data: 5,
    });
    expect(sent).toMatchObject([
      { type: 'comm', kind: 'msg', id: 'o1', commId: 'c1', data: { echo: 5 } },
      { type: 'comm-done', id: 'o1' },
      { type: 'comm', kind: 'close', id: 'o2', commId: 'c2' },
      { type: 'comm-done', id: 'o2' },
    ]);
  });

  it('tell their close to its handler once', async () => {
    const { comms } = setUp();
    const closed: unknown[] = [];
    comms.registerTarget('probe', (comm) => comm.onClose((data) => closed.push(data)));
    await comms.receive({ type: 'comm', kind: 'open', id: 'o1', commId: 'c1', targetName: 'probe', data: 5 });
    await comms.receive({ type: 'comm', kind: 'close', id: 'o2', commId: 'c1', data: 'end' });
    await comms.receive({ type: 'comm', kind: 'close', id: 'o3', commId: 'c1', data: 'end' });
    expect(closed).toEqual(['end']);
  });
});
