/** Tier adapter: encoding, hazards, adopted devices, views, limits and a lost device. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  add,
  affine,
  bufferOf,
  closeGpu,
  createContext,
  currentGpu,
  encodeInto,
  exp,
  gpuContext,
  matmul,
  openGpu,
  permute,
  reshape,
  scope,
  sum,
  tensor,
  tensorFromBuffer,
  Tensor,
  useBackend,
} from '../../lib/index.js';
import { dispatch } from '../../lib/gpu/dispatch.js';
import { COLD, openAdapter, POISON } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

const range = (n: number, from = 0) => Float32Array.from({ length: n }, (_, i) => from + i);

describe.skipIf(!context)(`the encoder keeps program order ${reason}`, { timeout: COLD }, () => {
  it('an upload after a recorded read does not change what the read sees', async () => {
    const x = tensor(range(4, 1));
    const before = affine(x, 10, 0);
    const { handle } = x.gpuBinding('test');
    gpuContext().write(handle, 0, new Uint8Array(new Float32Array([7, 7, 7, 7]).buffer));
    const after = affine(x, 10, 0);
    expect([...(await before.data())]).toEqual([10, 20, 30, 40]);
    expect([...(await after.data())]).toEqual([70, 70, 70, 70]);
  });

  it('a block released and taken again inside one batch keeps both results right', async () => {
    const poison = gpuContext().poison;
    gpuContext().poison = undefined;
    const x = tensor(range(1000));
    let y = affine(x, 1, 1);
    for (let i = 0; i < 600; i++) {
      const next = affine(y, 1, 1);
      y.dispose();
      y = next;
    }
    gpuContext().poison = poison;
    expect((await y.data())[5]).toBe(606);
    expect(gpuContext().stats().pooledBlocks).toBeGreaterThan(0);
  });

  it('buffers trimmed from the pool are destroyed only after their commands were submitted', async () => {
    const x = tensor(range(70_000));
    const y = scope(() => sum(exp(affine(x, 0, 0))));
    gpuContext().flush();
    expect(gpuContext().pool.trim(0)).toBe(true);
    gpuContext().pipelines.forgetGroups();
    expect(await y.item()).toBe(70_000);
    expect(gpuContext().stats().pooledBytes).toBeGreaterThanOrEqual(0);
  });

  it('fresh blocks carry the sentinel, so that an unwritten element would be seen', async () => {
    const fresh = Tensor.empty([5], 'u32', 'gpu');
    expect([...(await fresh.data())]).toEqual([POISON, POISON, POISON, POISON, POISON]);
  });

  it('more than 65535 workgroups are folded', async () => {
    const n = 65536 * 256 + 77;
    const poison = gpuContext().poison;
    gpuContext().poison = undefined;
    const x = Tensor.empty([n], 'f32', 'gpu');
    const y = affine(x, 0, 3);
    gpuContext().poison = poison;
    const tail = y.view([3], n - 3);
    expect([...(await tail.data())]).toEqual([3, 3, 3]);
    x.dispose();
    y.dispose();
  });
});

describe.skipIf(!context)('views and limits', { timeout: COLD }, () => {
  it('a view at an offset that cannot be bound is copied, and reads the right elements', async () => {
    const x = tensor(range(100));
    const view = x.view([3, 5], 7);
    expect([...(await affine(view, 2, 0).data())]).toEqual([...range(15, 7)].map((v) => 2 * v));
    expect([...(await permute(view, [1, 0]).data())].slice(0, 3)).toEqual([7, 12, 17]);
  });

  it('a tensor beyond one binding is refused with advice', () => {
    expect(() => Tensor.empty([2 ** 31], 'f32', 'gpu')).toThrow(/one storage binding of \d+ bytes.*smaller/);
  });

  it('a kernel that does not fit its bindings rejects the next read and names itself', async () => {
    const x = tensor(range(4));
    const y = Tensor.empty([4], 'f32', 'gpu');
    dispatch({
      where: 'test',
      kernel: 'ops/map/unary',
      tensors: { x: y, y },
      params: { count: 4, p: 0, q: 0 },
      threads: 4,
    });
    await expect(y.data()).rejects.toThrow(/ops\/map\/unary.*validation/);
    expect([...(await x.data())]).toEqual([0, 1, 2, 3]);
  });
});

describe.skipIf(!context)('a device of the caller', { timeout: COLD }, () => {
  let device: GPUDevice;
  beforeAll(async () => {
    const gpu = (globalThis as unknown as Record<symbol, { gpu: GPU }>)[Symbol.for('assay.gpu')].gpu;
    device = await (await gpu.requestAdapter())!.requestDevice();
  });

  it('is adopted, keeps its own handlers, and survives closeGpu', async () => {
    const handler = () => undefined;
    device.onuncapturederror = handler;
    const adopted = createContext({ device });
    expect(currentGpu()).toBe(adopted);
    const x = tensor([1, 2, 3], { device: 'gpu' });
    expect([...(await affine(x, 2, 0).data())]).toEqual([2, 4, 6]);
    expect(device.onuncapturederror === handler).toBe(true);
    closeGpu();
    const probe = device.createBuffer({ size: 16, usage: 0x80 });
    expect(probe.size).toBe(16);
    probe.destroy();
    createContext({ device });
  });

  it('gives and takes buffers without copies', async () => {
    const buffer = device.createBuffer({ size: 16, usage: 0x80 | 0x04 | 0x08 });
    device.queue.writeBuffer(buffer, 0, range(4, 1));
    const x = tensorFromBuffer(buffer, [2, 2]);
    const y = matmul(x, x);
    expect([...(await y.data())]).toEqual([7, 10, 15, 22]);
    expect(bufferOf(x).buffer).toBe(buffer);
    x.dispose();
    buffer.destroy();
    expect(() => tensorFromBuffer(device.createBuffer({ size: 16, usage: 0x08 }), [4])).toThrow(
      /usage STORAGE/,
    );
  });

  it('takes kernels into its own pass without a submit', async () => {
    const x = tensor(range(8), { device: 'gpu' });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const { result, release } = encodeInto(pass, () => scope(() => add(affine(x, 2, 0), reshape(x, [8]))));
    pass.end();
    const other = affine(x, 5, 0);
    expect((await other.data())[1]).toBe(5);
    device.queue.submit([encoder.finish()]);
    // The temporary of the pass was not handed to `other` meanwhile.
    expect((await other.data())[1]).toBe(5);
    release();
    expect([...(await result.data())]).toEqual([...range(8)].map((v) => 3 * v));
  });

  it('is refused with every missing limit named', () => {
    const small = {
      limits: { maxStorageBuffersPerShaderStage: 4 },
      features: new Set(),
    } as unknown as GPUDevice;
    expect(() => createContext({ device: small })).toThrow(
      /maxStorageBuffersPerShaderStage >= 8 \(has 4\).*maxComputeWorkgroupStorageSize/,
    );
    const features = ['shader-f16'];
    expect(() => createContext({ device, features })).toThrow(/the feature shader-f16/);
  });
});

describe.skipIf(!context)('a lost device', { timeout: COLD }, () => {
  it('rejects reads with the reason, fails old tensors, and the next open gets a new one', async () => {
    closeGpu();
    const lost = await openGpu();
    await useBackend('webgpu');
    const x = tensor([1, 2]);
    const y = exp(x);
    lost.device.destroy();
    await expect(y.data()).rejects.toThrow(/lost one \(.*destroyed.*last operator ops\/exp/s);
    expect(() => exp(x)).toThrow(/lost|closed/);
    expect(() => tensor([1])).toThrow(/lost/);
    await useBackend('webgpu');
    expect(currentGpu()).not.toBe(lost);
    expect(() => exp(x)).toThrow(/lost/);
    expect([...(await affine(tensor([3]), 2, 0).data())]).toEqual([6]);
    x.dispose();
  });
});
