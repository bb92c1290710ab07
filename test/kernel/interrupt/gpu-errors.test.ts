import { afterEach, describe, expect, it } from 'vitest';
import { Execution, finished, runIn, started } from '../../../kernel/user/executions.js';
import { GpuErrors } from '../../../kernel/user/gpu-errors.js';
import { GpuWatch } from '../../../kernel/user/gpu-watch.js';

class GPUValidationError {
  constructor(readonly message: string) {}
}
const said = (message: string) => new GPUValidationError(message);

/** A device that does nothing but fail and get lost when told to. */
class FakeDevice extends EventTarget {
  lose!: (info: GPUDeviceLostInfo) => void;
  destroyed = false;
  readonly lost = new Promise<GPUDeviceLostInfo>((resolve) => (this.lose = resolve));
  readonly adapterInfo = { vendor: 'mesa', description: 'llvmpipe: Mesa 25' };
  fail(message: string): void {
    this.dispatchEvent(
      Object.assign(new Event('uncapturederror', { cancelable: true }), { error: said(message) }),
    );
  }
  destroy(): void {
    this.destroyed = true;
  }
}

const open: Execution[] = [];
afterEach(() => open.splice(0).forEach(finished));

async function watched() {
  const late: [string | undefined, string][] = [];
  const lines: string[] = [];
  const watch = new GpuWatch({
    late: (execution, error) => late.push([execution?.id, error.name]),
    adapter: (text) => lines.push(text),
  });
  const device = new FakeDevice();
  await watch.request(Promise.resolve(device as unknown as GPUDevice));
  const cell = (id: string) => {
    const execution = new Execution(id, 1);
    open.push(execution);
    started(execution);
    watch.beginExecution(execution);
    return execution;
  };
  return { watch, device, late, lines, cell };
}

describe('errors of GPU work', () => {
  it('are listed once each, ten at most, without those that follow from them', async () => {
    const errors = new GpuErrors();
    for (let i = 0; i < 12; i++) errors.add(said(`wrong ${i}`));
    for (let i = 0; i < 3; i++) errors.add(said('[Invalid Buffer "b"] is invalid due to a previous error.'));
    const found = await errors.finish();
    expect(found).toHaveLength(10);
    expect(found[9].message).toContain('it has caused 3 later errors');
    expect(found[9].message).toContain('and 2 other errors');
    expect(found[9].stack).toContain(found[9].message);
  });

  it('belong to the execution whose call failed', async () => {
    const { watch, device, cell } = await watched();
    const [one, two] = [cell('one'), cell('two')];
    runIn(two, () => device.fail('bad'));
    expect(await watch.endExecution(one)).toEqual([]);
    expect((await watch.endExecution(two)).map((error) => error.message)).toEqual(['bad']);
  });

  it('are late after the reply, and nothing in an interrupted cell', async () => {
    const { watch, device, late, cell } = await watched();
    const one = cell('one');
    await watch.endExecution(one);
    finished(one);
    runIn(one, () => device.fail('bad'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(late).toEqual([['one', 'GPUValidationError']]);
    one.interrupt();
    runIn(one, () => device.fail('bad'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(late).toHaveLength(1);
  });
});

describe('a lost device', () => {
  it('is told in the running cell, with advice', async () => {
    const { watch, device, cell } = await watched();
    const one = cell('one');
    device.lose({ reason: 'unknown', message: 'reset' } as GPUDeviceLostInfo);
    const [error] = await watch.endExecution(one);
    expect(error.name).toBe('GPUDeviceLostError');
    expect(error.message).toMatch(/lost \(unknown\): reset[^]*useBackend/);
  });

  it('is no error when the program destroyed it', async () => {
    const { watch, device, cell, late } = await watched();
    const one = cell('one');
    device.lose({ reason: 'destroyed', message: '' } as GPUDeviceLostInfo);
    expect(await watch.endExecution(one)).toEqual([]);
    expect(late).toEqual([]);
  });
});

describe('devices', () => {
  it('are destroyed at shutdown', async () => {
    const { watch, device } = await watched();
    watch.destroyDevices();
    expect(device.destroyed).toBe(true);
  });

  it('name their adapter, once', async () => {
    const { watch, lines } = await watched();
    await watch.request(Promise.resolve(new FakeDevice() as unknown as GPUDevice));
    expect(lines).toEqual(['GPU: llvmpipe (software, for testing only)']);
    expect(watch.adapterLine()).toBe(lines[0]);
  });
});
