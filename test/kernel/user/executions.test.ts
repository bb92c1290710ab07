import { describe, expect, it } from 'vitest';
import type { Output } from '../../../kernel/notebook/host.js';
import {
  CellInterrupted,
  currentExecution,
  currentSink,
  Execution,
  finished,
  interruptExecution,
  runIn,
  running,
  runWithSink,
  started,
} from '../../../kernel/user/executions.js';

describe('executions', () => {
  it('are known to everything their code starts, whatever runs in between', async () => {
    const seen: (string | undefined)[] = [];
    const work = ['a', 'b'].map((id, i) =>
      runIn(new Execution(id, i), async () => {
        for (let round = 0; round < 3; round++) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          seen.push(currentExecution()?.id);
        }
      }),
    );
    await Promise.all(work);
    expect(seen.filter((id) => id === 'a')).toHaveLength(3);
    expect(seen.filter((id) => id === 'b')).toHaveLength(3);
    expect(currentExecution()).toBeUndefined();
  });

  it('does not send what a sink itself shows to that sink', () => {
    const seen: unknown[] = [];
    runWithSink(
      (output) => seen.push('outer', output.kind),
      () =>
        runWithSink(
          () => currentSink()?.({ kind: 'clear', wait: false }),
          () => currentSink()?.({ kind: 'stream', name: 'stdout', text: 'x' }),
        ),
    );
    expect(seen).toEqual(['outer', 'clear']);
  });

  it('keep their sink in later work and lose it outside', async () => {
    const got: Output[] = [];
    const execution = new Execution('a', 1);
    await runIn(execution, async () => {
      await runWithSink(
        (output) => void got.push(output),
        async () => {
          await Promise.resolve();
          expect(currentExecution()).toBe(execution);
          currentSink()?.({ kind: 'clear', wait: false });
        },
      );
      expect(currentSink()).toBeUndefined();
    });
    expect(got).toEqual([{ kind: 'clear', wait: false }]);
  });

  it('count as running from their start to their reply, oldest first', () => {
    const [a, b] = [new Execution('a', 1), new Execution('b', 2)];
    started(a);
    started(b);
    expect([...running()]).toEqual([a, b]);
    finished(a);
    expect([...running()]).toEqual([b]);
    expect(a.replied).toBe(true);
    finished(b);
  });

  it('are interrupted once: the reply is free at once and the signal is aborted with the reason', async () => {
    const execution = new Execution('a', 1);
    let listeners = 0;
    let inside: Execution | undefined;
    execution.signal.addEventListener('abort', () => {
      listeners++;
      inside = currentExecution();
    });
    interruptExecution(execution);
    interruptExecution(execution);
    const error = await execution.interruption;
    expect(error).toBeInstanceOf(CellInterrupted);
    expect({ name: error.name, message: error.message }).toEqual({
      name: 'CellInterrupted',
      message: 'interrupted',
    });
    expect(execution.signal.reason).toBe(error);
    expect(listeners).toBe(1);
    expect(inside).toBe(execution);
  });
});
