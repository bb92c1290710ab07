import { afterAll, describe, expect, it } from 'vitest';
import { formatValue } from '../../../kernel/display/index.js';
import { noteDevice } from '../../../kernel/display/gpu-devices.js';
import { bufferOf, closeGpu, openGpu } from '../../../lib/gpu/index.js';
import { tensor } from '../../../lib/tensor/tensor.js';

const opened = await openGpu().then(
  (context) => ({ context, reason: '' }),
  (error: unknown) => ({ context: undefined, reason: String(error) }),
);
afterAll(() => closeGpu());

const [MAP_READ, COPY_SRC, COPY_DST, UNIFORM] = [1, 4, 8, 0x40];

async function text(value: unknown): Promise<string> {
  return (await formatValue(value)).data['text/plain'] as string;
}

describe.skipIf(!opened.context)(`WebGPU objects ${opened.reason}`, () => {
  const device = opened.context!.device;
  const make = (usage: number, size = 64, label = ''): GPUBuffer =>
    device.createBuffer({ size, usage, label });

  it('a buffer with COPY_SRC or MAP_READ shows its first values as f32 and u32', async () => {
    const source = make(COPY_SRC | COPY_DST, 64, 'weights');
    device.queue.writeBuffer(source, 0, Float32Array.of(1, 0.5, NaN));
    const shown = await text(source);
    expect(shown).toContain('GPUBuffer "weights" 64 bytes, COPY_SRC | COPY_DST');
    expect(shown).toMatch(/f32 +1 +0\.5 +NaN/);
    expect(shown).toMatch(/u32 +1065353216 +1056964608/);
    const mappable = make(MAP_READ | COPY_DST);
    device.queue.writeBuffer(mappable, 0, Uint32Array.of(7));
    expect(await text(mappable)).toMatch(/u32 +7 +0/);
    expect(mappable.mapState).toBe('unmapped');
  });

  it('a large buffer is read in part', async () => {
    expect(await text(make(COPY_SRC, 1 << 20))).toContain('of the first 64 KiB, read as f32');
  });

  it('a buffer that cannot be read says why', async () => {
    expect(await text(make(UNIFORM))).toContain('it needs the usage COPY_SRC or MAP_READ');
    const mapped = device.createBuffer({ size: 16, usage: COPY_SRC, mappedAtCreation: true });
    expect(await text(mapped)).toContain('while it is mapped; unmap() it first');
    for (const usage of [COPY_SRC, MAP_READ | COPY_DST]) {
      const gone = make(usage);
      gone.destroy();
      expect(await text(gone)).toMatch(/: destroyed$/);
    }
  });

  it('a buffer of another device is read by the device that made it', async () => {
    const gpu = (globalThis as unknown as Record<symbol, { gpu: GPU }>)[Symbol.for('assay.gpu')].gpu;
    const other = await (await gpu.requestAdapter())!.requestDevice();
    const buffer = other.createBuffer({ size: 16, usage: COPY_SRC | COPY_DST });
    other.queue.writeBuffer(buffer, 0, Float32Array.of(5));
    expect(await text(buffer)).toContain('the device that made it is not known');
    noteDevice(other);
    expect(await text(buffer)).toMatch(/f32 +5 +0/);
    // The latest device is asked first, and its refusal is nobody's error.
    expect(await text(make(COPY_SRC))).toMatch(/f32 +0 +0/);
    other.destroy();
  });

  it('a tensor on the GPU is read back, and so is the buffer of the library', async () => {
    const t = tensor([[1, 2], [3, 4]], { device: 'gpu' }); // prettier-ignore
    expect(await text(t)).toContain('Tensor f32 [2, 2], on gpu, 16 bytes');
    expect(await text(t)).toContain('  1  2\n  3  4');
    const { buffer } = bufferOf(t);
    expect(await text(buffer)).toMatch(/f32 +1 +2 +3 +4/);
  });

  it('a device, an adapter and a shader module are told in a few words', async () => {
    expect(await text(device)).toMatch(/^GPUDevice "assay"[^]*features: /);
    expect(await text(device.createShaderModule({ code: 'fn f() {}' }))).toBe('GPUShaderModule compiles');
    device.pushErrorScope('validation');
    const broken = device.createShaderModule({ code: 'fn f( {', label: 'bad' });
    await device.popErrorScope();
    expect(await text(broken)).toMatch(
      /^GPUShaderModule "bad" does not compile, \d messages?\n {2}error at 1:7/,
    );
  });
});
