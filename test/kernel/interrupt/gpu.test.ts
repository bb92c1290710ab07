import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KernelClient } from '../../../kernel/run/kernel-client.js';
import { errors, interrupted, launch, ROUNDS, value, type How } from './support.js';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await launch();
  // Without an adapter dawn's own null adapter takes every call and computes nothing.
  const { reply } = await kernel.execute(`
    import { create, globals } from 'webgpu';
    Object.assign(globalThis, globals);
    let gpu: GPU = create([]);
    let adapter = await gpu.requestAdapter();
    if (!adapter) { gpu = create(['backend=null']); adapter = await gpu.requestAdapter(); }
    const device = await adapter!.requestDevice();
    const out = device.createBuffer({ size: 4096, usage: 0x84 | 8 });
    function copy(to: GPUBuffer) {
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(out, 0, to, 0, 4096);
      device.queue.submit([encoder.finish()]);
    }
    let laps = 0;`);
  expect(reply?.content).toMatchObject({ status: 'ok' });
});
afterAll(async () => {
  await kernel?.shutdown();
});

const hows: How[] = process.platform === 'win32' ? ['message'] : ['message', 'signal'];
const loops: Record<string, string> = {
  'a loop of submits': 'for (;;) device.queue.submit([]);',
  'a loop of submits without guards': `new Function('queue', 'for (;;) queue.submit([])')(device.queue);`,
  'a loop of writes': 'for (;;) device.queue.writeBuffer(out, 0, new Float32Array(1024));',
  'a loop of readbacks':
    'const read = device.createBuffer({ size: 4096, usage: 9 });\n' +
    'try { for (;;) { copy(read); await read.mapAsync(1); laps++; read.unmap(); } } finally { read.destroy(); }',
};

describe('an interrupt of GPU work', () => {
  it(
    `ends it ${ROUNDS} times in a row, with the device and the kernel alive`,
    { timeout: 600_000 },
    async () => {
      const codes = Object.values(loops);
      for (let i = 0; i < ROUNDS; i++) {
        const ended = await interrupted(kernel, codes[i % codes.length], hows[i % hows.length], (i * 7) % 40);
        expect(ended.reply?.content.ename).toBe('CellInterrupted');
      }
      const code =
        'const last = device.createBuffer({ size: 4096, usage: 9 });\ncopy(last);\nawait last.mapAsync(1);\n' +
        'const length = last.getMappedRange().byteLength;\nlast.destroy();\nlength';
      expect(await value(kernel, code)).toBe('4096');
      expect(await value(kernel, 'laps > 0')).toBe('true');
    },
  );

  it('refuses the calls of what is left of the cell, but lets it clean up', async () => {
    const code =
      'const mine = device.createBuffer({ size: 64, usage: 9 });\nlet refused = "";\n' +
      'try { await new Promise((resolve) => cell.signal.addEventListener("abort", resolve)); device.queue.submit([]); }\n' +
      'catch (error) { refused = (error as Error).name; } finally { mine.destroy(); }';
    await interrupted(kernel, code, 'message');
    expect(await value(kernel, 'refused')).toBe("'CellInterrupted'");
  });
});

describe('errors of GPU work', () => {
  it('appear in the cell, at the call that made them, once for each cause', async () => {
    const ended = await kernel.execute(
      'for (let i = 0; i < 3; i++)\n  device.createBuffer({ size: 16, usage: 0 });',
    );
    expect(ended.reply?.content).toMatchObject({ status: 'error', ename: 'GPUValidationError' });
    const [text, ...more] = errors(ended);
    expect(more).toEqual([]);
    expect(text).toContain('usages must not be 0');
    expect(text).toContain('(3 times)');
    expect(text).toMatch(/cell-\d+\.ts:2:\d+/);
  });

  it('mark the offending line of a shader and leave out what follows from it', async () => {
    const ended = await kernel.execute(
      'const code = `@compute @workgroup_size(1)\nfn main() {\n  let x: f32 = 1u;\n}`;\n' +
        "const module = device.createShaderModule({ label: 'scale', code });\n" +
        "device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });",
    );
    const [text, ...more] = errors(ended);
    expect(more).toEqual([]);
    expect(ended.reply?.content.ename).toBe('WGSLError');
    expect(text).toContain('scale.wgsl:3:7');
    expect(text).toMatch(/> 3 \| {3}let x: f32 = 1u;\n\s*\| {7}\^/);
    expect(text).toContain('it has caused 1 later error');
  });

  it('are left to the error scopes of the cell', async () => {
    const code =
      "device.pushErrorScope('validation');\ndevice.createBuffer({ size: 16, usage: 0 });\n(await device.popErrorScope())!.message.length > 0";
    expect(await value(kernel, code)).toBe('true');
  });

  it('are shown in their own cell when they come after its end', async () => {
    const seen = new Map<string, string>();
    kernel.onIopub = (message) => {
      if (message.type === 'error') seen.set(String(message.parent.msg_id), String(message.content.ename));
    };
    const { id, reply } = await kernel.execute(
      'setTimeout(() => device.createBuffer({ size: 16, usage: 0 }), 150); 1',
    );
    expect(reply?.content.status).toBe('ok');
    await value(kernel, 'await new Promise((resolve) => setTimeout(resolve, 400)); 2');
    kernel.onIopub = undefined;
    expect([...seen]).toEqual([[id, 'GPUValidationError']]);
  });

  it('do not hide the error the cell threw', async () => {
    const ended = await kernel.execute(
      "device.createBuffer({ size: 16, usage: 0 });\nthrow new Error('own');",
    );
    expect(ended.reply?.content.evalue).toBe('own');
    expect(errors(ended).some((text) => text.includes('usages must not be 0'))).toBe(true);
  });
});

describe('the guard of the GPU', () => {
  it('is not to be seen from outside', async () => {
    const code =
      'const property = Object.getOwnPropertyDescriptor(GPUQueue.prototype, "submit")!;\n' +
      '[device instanceof GPUDevice, device.queue === device.queue, property.writable, property.enumerable, property.configurable].join()';
    expect(await value(kernel, code)).toBe("'true,true,true,true,true'");
  });

  it('lets the kernel name the adapter in its banner', async () => {
    const { reply } = await kernel.request('shell', 'kernel_info_request', {});
    expect(reply?.content.banner).toMatch(/\nGPU: \S+/);
  });
});
