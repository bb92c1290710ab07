import { afterEach, describe, expect, it } from 'vitest';
import { InterruptState } from '../../../kernel/threads/interrupt-state.js';
import { CellInterrupted, Execution, finished, runIn, started } from '../../../kernel/user/executions.js';
import { InterruptGuard } from '../../../kernel/user/interrupt-guard.js';

const made: Execution[] = [];
function cell(id: string): Execution {
  const execution = new Execution(id, made.length + 1);
  made.push(execution);
  started(execution);
  return execution;
}
afterEach(() => made.splice(0).forEach(finished));

describe('the guard of loops', () => {
  it('stops every running cell before the message arrives, and tells them when it does', async () => {
    const state = new InterruptState();
    const guard = new InterruptGuard(state);
    const one = cell('one');
    state.stop = 1;
    expect(() => runIn(one, guard.stop)).toThrow(CellInterrupted);
    expect(() => runIn(one, guard.stop)).toThrow(CellInterrupted);
    expect(one.interrupted).toBe(false);
    guard.interrupt(1);
    expect(state.ack).toBe(1);
    await one.interruption;
    expect(one.signal.reason).toBeInstanceOf(CellInterrupted);
  });

  it('refuses an interrupted cell for good and lets later cells run', async () => {
    const state = new InterruptState();
    const guard = new InterruptGuard(state);
    const one = cell('one');
    state.stop = 1;
    guard.interrupt(1);
    await one.interruption;
    finished(one);
    const two = cell('two');
    runIn(two, guard.stop);
    // The flag is down for this job of a cell that may run ...
    expect(state.stop).toBe(0);
    await Promise.resolve();
    // ... and up again for what is left of the other.
    expect(state.stop).toBe(1);
    expect(() => runIn(one, guard.stop)).toThrow(CellInterrupted);
    expect(two.interrupted).toBe(false);
  });

  it('does not take down a flag that the server has just raised again', async () => {
    const state = new InterruptState();
    const guard = new InterruptGuard(state);
    state.stop = 1;
    guard.interrupt(1);
    const two = cell('two');
    runIn(two, guard.stop);
    state.stop = 2;
    await Promise.resolve();
    expect(state.stop).toBe(2);
    expect(() => runIn(two, guard.stop)).toThrow(CellInterrupted);
  });

  it('stops only the execution a message names', () => {
    const guard = new InterruptGuard(new InterruptState());
    const [one, two] = [cell('one'), cell('two')];
    guard.interrupt(1, 'two');
    expect([one.interrupted, two.interrupted]).toEqual([false, true]);
  });

  it('offers the running cell’s signal to the library', () => {
    new InterruptGuard(new InterruptState());
    const ambient = (globalThis as Record<symbol, unknown>)[Symbol.for('assay.signal')] as () => unknown;
    const one = cell('one');
    expect(runIn(one, ambient)).toBe(one.signal);
    expect(ambient()).toBeUndefined();
  });
});
