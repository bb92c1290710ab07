/** Exported launch code on an adapter: vectors, other sizes than those of the vectors, buffers of the caller, errors. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rms } from '../../../lib/core/compare.js';
import { closeGpu, matmul, Random, rmsNorm, selectiveScan, tensor } from '../../../lib/index.js';
import { withBackend } from '../../../lib/tensor/backend.js';
import { check } from '../../../kernel/wgsl/page/check.js';
import type { Exported } from '../../../kernel/wgsl/export.js';
import { COLD, openAdapter } from '../../gpu/support.js';
import {
  importLaunch,
  makeExport,
  temporaryFolder,
  textsOf,
  writeExport,
  type LaunchModule,
} from './support.js';

const { context, reason } = await openAdapter();
const { folder, remove } = temporaryFolder();
afterAll(() => {
  closeGpu();
  remove();
});

type Buffers = Record<string, GPUBuffer>;
interface Plan {
  outputs: Record<string, { shape: readonly number[]; bytes: number }>;
  forward(target: GPUCommandEncoder | GPUComputePassEncoder, inputs: Buffers, outputs?: object): Buffers;
  backward(target: GPUCommandEncoder | GPUComputePassEncoder, grads: Buffers, out?: object): Buffers;
  destroy(): void;
}
interface Launcher {
  plan(shapes: object, parameters?: object, options?: object): Promise<Plan>;
}

async function load(id: string, form: string): Promise<{ made: Exported; module: LaunchModule }> {
  const made = await makeExport(id, form);
  return { made, module: await importLaunch(writeExport(folder, made), id) };
}

describe.skipIf(!context)(`launch code that was taken home ${reason}`, { timeout: COLD }, () => {
  const device = context?.device as GPUDevice;
  const random = new Random(5);

  function upload(values: ArrayLike<number>): GPUBuffer {
    const data = Float32Array.from(values);
    const buffer = device.createBuffer({ size: Math.max(32, data.byteLength), usage: 0x80 | 0x08 | 0x04 });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  }

  async function read(buffer: GPUBuffer, count: number): Promise<Float32Array> {
    const staging = device.createBuffer({ size: 4 * count, usage: 1 | 8 });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, 4 * count);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(1);
    return new Float32Array(staging.getMappedRange().slice(0));
  }

  const draw = (count: number) => Float32Array.from({ length: count }, () => random.normal());

  function near(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
    expect(actual.length).toBe(expected.length);
    const error = rms(Float64Array.from(expected, (v, i) => actual[i] - v));
    expect(error).toBeLessThanOrEqual(2e-5 * rms(expected));
  }

  it.each([
    ['ops/rms-norm', 'parallel'],
    ['ops/softmax', 'parallel'],
    ['ops/matmul', 'parallel'],
    ['ops/rope', 'parallel'],
    ['ops/slice', 'parallel'],
    ['ops/top-k', 'parallel'],
    ['ops/grouped-matmul', 'parallel'],
    ['softmax-attention', 'chunk'],
    ['softmax-attention', 'parallel'],
    ['selective-scan', 'recurrent'],
    ['selective-scan', 'chunk'],
    ['selective-scan', 'scan'],
    ['selective-scan', 'step'],
    // Written with other operators.
    ['hgrn', 'chunk'],
    ['retention', 'chunk'],
    ['retention', 'parallel'],
    ['gated-delta-net', 'recurrent'],
    ['ssd', 'chunk'],
    ['rwkv/wkv6', 'step'],
    ['rwkv/wkv7', 'chunk'],
    ['feature-map', 'parallel'],
    ['long-convolution', 'chunk'],
  ])('gives the vectors of %s, form %s', async (id, form) => {
    const { made, module } = await load(id, form);
    const vectors = JSON.parse(made.files.get('vectors.json')!) as Parameters<typeof check>[2];
    const results = await check(device, module.create, vectors, { texts: textsOf(made) });
    expect(results.filter((r) => !r.ok)).toEqual([]);
    expect(results.length).toBeGreaterThan(3);
  });

  it.runIf(context?.features.has('subgroups')).each([
    ['ops/softmax', 'parallel', 'softmax-forward.f32'],
    ['ops/sum', 'parallel', 'reduce-rows.f-f32.o-f32'],
    ['selective-scan', 'scan', 'selective-scan-scan.f32'],
  ])('takes the files with subgroups of %s, form %s, unless they are refused', async (id, form, file) => {
    const { made, module } = await load(id, form);
    const vectors = JSON.parse(made.files.get('vectors.json')!) as Parameters<typeof check>[2];
    for (const subgroups of [true, false]) {
      const asked = new Set<string>();
      const texts = new Proxy(textsOf(made), {
        get: (all, name) => (asked.add(String(name)), all[String(name)]),
      });
      const results = await check(device, module.create, vectors, { texts, subgroups });
      expect(results.filter((r) => !r.ok)).toEqual([]);
      expect(asked).toContain(`${file}${subgroups ? '.subgroups' : ''}.wgsl`);
      expect(asked).not.toContain(`${file}${subgroups ? '' : '.subgroups'}.wgsl`);
    }
  });

  describe('at sizes of the caller', () => {
    let scan: Launcher;
    let product: Launcher;
    let norm: Launcher;
    beforeAll(async () => {
      const make = async (id: string, form: string) => {
        const { made, module } = await load(id, form);
        return module.create(device, { texts: textsOf(made) }) as unknown as Launcher;
      };
      scan = await make('selective-scan', 'recurrent');
      product = await make('ops/matmul', 'parallel');
      norm = await make('ops/rms-norm', 'parallel');
    }, COLD);

    it('gives what the library gives, at sizes no vector has', async () => {
      const [B, T, D, N] = [2, 150, 20, 24];
      const shapes = { u: [B, T, D], delta: [B, T, D], A: [D, N], B: [B, T, 2, N], C: [B, T, 2, N] };
      const values = Object.fromEntries(
        Object.entries(shapes).map(([name, shape]) => [name, draw(shape.reduce((p, n) => p * n, 1))]),
      );
      values.A = values.A.map((v) => -Math.abs(v) - 0.1);
      const tensors = Object.fromEntries(
        Object.entries(shapes).map(([name, shape]) => [
          name,
          tensor(values[name], { shape, dtype: 'f64', device: 'host' }),
        ]),
      ) as unknown as Parameters<typeof selectiveScan>[0];
      const expected = withBackend('cpu', () => selectiveScan(tensors, { softplus: true }));
      const plan = await scan.plan(shapes, { softplus: true });
      const inputs = Object.fromEntries(Object.entries(values).map(([name, v]) => [name, upload(v)]));
      const encoder = device.createCommandEncoder();
      const { y, finalState } = plan.forward(encoder, inputs);
      device.queue.submit([encoder.finish()]);
      near(await read(y, B * T * D), await expected.y.data());
      near(await read(finalState, B * D * N), await expected.finalState.data());
      plan.destroy();
    });

    it('records into a compute pass, twice, with buffers of the caller for outputs and parts of buffers', async () => {
      const [m, k, n] = [70, 33, 129];
      const plan = await product.plan({ a: [m, k], b: [k, n] });
      const b = draw(k * n);
      const second = upload(b);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      const firsts = [draw(m * k), draw(m * k)];
      const results = firsts.map((a) => {
        const whole = upload([...new Float32Array(64), ...a]);
        const y = upload(new Float32Array(m * n));
        const given = { a: { buffer: whole, offset: 256 } as unknown as GPUBuffer, b: second };
        expect(plan.forward(pass, given, { y }).y).toBe(y);
        return y;
      });
      pass.end();
      device.queue.submit([encoder.finish()]);
      for (const [i, a] of firsts.entries()) {
        const expected = withBackend('cpu', () =>
          matmul(tensor(a, { shape: [m, k], device: 'host' }), tensor(b, { shape: [k, n], device: 'host' })),
        );
        near(await read(results[i], m * n), await expected.data());
      }
      plan.destroy();
    });

    it('gives only the gradients that were asked for', async () => {
      const plan = await norm.plan({ x: [9, 40], weight: [40] }, {}, { gradients: ['weight'] });
      const [x, weight, dy] = [draw(360), draw(40), draw(360)];
      const encoder = device.createCommandEncoder();
      plan.forward(encoder, { x: upload(x), weight: upload(weight) });
      const gradients = plan.backward(encoder, { y: upload(dy) });
      device.queue.submit([encoder.finish()]);
      expect(Object.keys(gradients)).toEqual(['weight']);
      const expected = new Float64Array(40);
      const y = withBackend('cpu', () =>
        rmsNorm(tensor(x, { shape: [9, 40], dtype: 'f64', device: 'host' })),
      );
      const normal = await y.data();
      for (let i = 0; i < 360; i++) expected[i % 40] += dy[i] * normal[i];
      near(await read(gradients.weight, 40), expected);
    });

    it('names the input, buffer, feature or limit that is wrong', async () => {
      await expect(
        scan.plan({ u: [1, 5, 4], delta: [1, 6, 4], A: [4, 2], B: [4, 2], C: [4, 2] }),
      ).rejects.toThrow(/delta must have shape \[B,T,D\] with T = 5, got \[1, 6, 4\]/);
      await expect(scan.plan({ u: [1, 5, 4] })).rejects.toThrow(/delta must be given/);
      await expect(norm.plan({ x: [2, 3] }, { epsilon: 1 })).rejects.toThrow(/parameters must be among eps/);
      await expect(norm.plan({ x: [2, 3] }, {}, { gradients: ['eps'] })).rejects.toThrow(
        /gradients must be among x/,
      );
      await expect(norm.plan({ x: [2 ** 20, 2 ** 20] })).rejects.toThrow(/x must fit into one binding/);
      const plan = await norm.plan({ x: [50, 30] });
      const encoder = device.createCommandEncoder();
      expect(() => plan.forward(encoder, {})).toThrow(/x must be given as a buffer/);
      expect(() => plan.forward(encoder, { x: upload(draw(10)) })).toThrow(
        /x must be a buffer of 6000 bytes/,
      );
      expect(() => plan.backward(encoder, {})).toThrow(/must be made with gradients/);
      const unusable = device.createBuffer({ size: 6000, usage: 0x08 });
      expect(() => plan.forward(encoder, { x: unusable })).toThrow(/x must be a buffer with usage STORAGE/);
      const shifted = { buffer: upload(draw(1600)), offset: 64 } as unknown as GPUBuffer;
      expect(() => plan.forward(encoder, { x: shifted })).toThrow(/x must start at a multiple of 256 bytes/);
      plan.destroy();
      expect(() => plan.forward(encoder, { x: upload(draw(1500)) })).toThrow(
        /plan must be alive for forward/,
      );
      const { made, module } = await load('ops/rms-norm', 'parallel');
      const unserved = module.create(device) as unknown as Launcher;
      await expect(unserved.plan({ x: [2, 3] })).rejects.toThrow(
        /norm-forward.f32(.subgroups)?.wgsl must be served beside the module, got TypeError: fetch failed; or pass it in texts/,
      );
      const poor = { limits: device.limits, features: new Set<string>() } as unknown as GPUDevice;
      const launcher = module.create(poor, { texts: textsOf(made) }) as unknown as Launcher;
      await expect(launcher.plan({ x: [2, 3] }, {}, { dtype: 'f16' })).rejects.toThrow(/feature shader-f16/);
      const small = { limits: { ...limitsOf(device), maxComputeInvocationsPerWorkgroup: 128 } };
      expect(() => module.create({ ...poor, ...small } as unknown as GPUDevice)).toThrow(
        /maxComputeInvocationsPerWorkgroup >= 256 \(has 128\)/,
      );
    });
  });
});

function limitsOf(device: GPUDevice): Record<string, number> {
  const limits = device.limits as unknown as Record<string, number>;
  const names = [
    'maxStorageBuffersPerShaderStage',
    'maxComputeWorkgroupStorageSize',
    'maxComputeWorkgroupSizeX',
    'maxComputeWorkgroupsPerDimension',
    'maxStorageBufferBindingSize',
  ];
  return Object.fromEntries(names.map((name) => [name, limits[name]]));
}
