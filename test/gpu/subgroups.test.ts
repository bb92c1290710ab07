/** Kernel variants with subgroups: the same interface, and the same answers as the plain kernels on one adapter. */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import {
  amax,
  closeGpu,
  createContext,
  crossEntropy,
  logsumexp,
  operator,
  rmsNorm,
  selectiveScan,
  softmax,
  sum,
  tensor,
  type Tensor,
} from '../../lib/index.js';
import type { Form } from '../../lib/tensor/backend.js';
import { casesOf } from '../../lib/tensor/cases.js';
import { conform } from '../../lib/tensor/conformance.js';
import { Random } from '../../lib/core/random.js';
import { kernelNames, kernelSource, kernelVariants } from '../../lib/gpu/index.js';
import { plainKernel, subgroupKernel } from '../../lib/gpu/source.js';
import { COLD, openAdapter } from './support.js';

const VARIANTS = kernelNames().filter((name) => plainKernel(name) !== name);

describe('a subgroup variant', () => {
  it('is there for the scan and for sums along rows', () => {
    expect(VARIANTS).toEqual(
      expect.arrayContaining(['families/selective-scan/scan-subgroups', 'ops/reduce/rows-subgroups']),
    );
    for (const name of VARIANTS) expect(subgroupKernel(plainKernel(name))).toBe(name);
    expect(subgroupKernel('ops/structure/copy')).toBeUndefined();
  });

  it.each(VARIANTS)('%s has the bindings, parameters, constants and workgroup of its kernel', (name) => {
    const [own, plain] = [kernelSource(name), kernelSource(plainKernel(name))];
    expect(own.bindings).toEqual(plain.bindings);
    expect(own.fields).toEqual(plain.fields);
    expect(own.uniformBytes).toBe(plain.uniformBytes);
    expect(own.defines).toEqual(plain.defines);
    const lines = (text: string, of: RegExp) => text.match(of);
    for (const of of [/^override .*$/gm, /^@group.*$/gm, /@workgroup_size\(.*\)/g])
      expect(lines(own.text, of)).toEqual(lines(plain.text, of));
    expect(own.text.startsWith('enable subgroups;\n')).toBe(true);
    for (const v of kernelVariants().filter((k) => k.name === name))
      expect(v.features).toContain('subgroups');
  });

  it.each(VARIANTS)('%s assumes no subgroup size', (name) => {
    const { text } = kernelSource(name);
    expect(text).toContain('spanOf(id)');
    expect(text).not.toMatch(/subgroup(Add|Max|Shuffle\w*|BroadcastFirst)\([^;]*, (8|16|32|64|128)u?\)/);
  });
});

const { context, reason } = await openAdapter();
const lacks = context && !context.features.has('subgroups') ? 'the adapter has no subgroups' : reason;
afterAll(() => closeGpu());

let random = new Random(7);
const draw = (count: number, spread = 1) =>
  Float32Array.from({ length: count }, () => spread * random.normal());

describe.skipIf(!context || lacks)(
  `on one adapter, with and without subgroups ${lacks}`,
  { timeout: COLD },
  () => {
    afterEach(() => {
      context!.pipelines.subgroups = true;
    });
    const read = async (t: Tensor) => [...(await t.data())];
    const onGpu = (values: ArrayLike<number>, shape: number[]) =>
      tensor(Float32Array.from(values), { shape, device: 'gpu' });

    it('a device opened with the feature takes the variants, and none when they are refused', () => {
      expect(context!.pipelines.subgroups).toBe(true);
      const label = (name: string) => context!.pipelines.prepare(name, {}, {}).label;
      expect(label('ops/reduce/rows')).toBe('ops/reduce/rows-subgroups');
      expect(label('ops/structure/copy')).toBe('ops/structure/copy');
      context!.pipelines.subgroups = false;
      expect(label('ops/reduce/rows')).toBe('ops/reduce/rows');
    });

    const records: [string, Form][] = [
      ['ops/sum', 'parallel'],
      ['ops/mean', 'parallel'],
      ['ops/sum-squares', 'parallel'],
      ['ops/amax', 'parallel'],
      ['ops/logsumexp', 'parallel'],
      ['ops/softmax', 'parallel'],
      ['ops/log-softmax', 'parallel'],
      ['ops/rms-norm', 'parallel'],
      ['ops/layer-norm', 'parallel'],
      ['selective-scan', 'scan'],
    ];
    for (const [id, form] of records)
      for (const on of [true, false])
        it.each(casesOf(operator(id).record, form).filter((c) => c.gpu !== false))(
          `${id} ${form} $name equals the f64 reference ${on ? 'with' : 'without'} subgroups`,
          async (c) => {
            context!.pipelines.subgroups = on;
            const failed = (await conform(operator(id), c, form, 'webgpu')).filter((r) => !r.ok);
            expect(failed.map((r) => r.text)).toEqual([]);
          },
        );

    const ways: [string, () => Tensor][] = [
      ['sum', () => sum(onGpu(draw(9 * 700, 1e4), [9, 700]), -1)],
      ['logsumexp', () => logsumexp(onGpu(draw(5 * 333), [5, 333]), -1)],
      ['softmax', () => softmax(onGpu(draw(5 * 333), [5, 333]))],
      ['rmsNorm', () => rmsNorm(onGpu(draw(5 * 333), [5, 333]))],
      ['selectiveScan', () => scan(draw(2 * 700 * 3))],
    ];
    const scan = (u: ArrayLike<number>): Tensor =>
      selectiveScan(
        {
          u: onGpu(u, [2, 700, 3]),
          delta: onGpu(
            Float32Array.from(u, (_, i) => Math.sin(i)),
            [2, 700, 3],
          ),
          A: onGpu(
            Float32Array.from({ length: 15 }, (_, i) => -0.1 * i),
            [3, 5],
          ),
          B: onGpu(
            Float32Array.from({ length: 15 }, (_, i) => Math.cos(i)),
            [3, 5],
          ),
          C: onGpu(
            Float32Array.from({ length: 15 }, (_, i) => Math.sin(i)),
            [3, 5],
          ),
        },
        { softplus: true, form: 'scan' },
      ).y;
    it.each(ways)('%s has the same bits on every run', async (_, run) => {
      random = new Random(7);
      const first = await read(run());
      random = new Random(7);
      expect(await read(run())).toEqual(first);
    });

    it.each([true, false])('sums keep the rounding error of each addition (subgroups %s)', async (on) => {
      context!.pipelines.subgroups = on;
      // Ones beside numbers whose last place is 16 or more: what rounding loses is far above the tolerance.
      const values = Float32Array.from({ length: 4096 }, (_, i) =>
        i % 2 ? 1 : i % 4 ? -(2 ** 28) : 2 ** 28,
      );
      expect(await read(sum(onGpu(values, [1, 4096]), -1))).toEqual([2048]);
      const tree = Float32Array.from({ length: 64 }, (_, i) =>
        i === 0 ? 2 ** 30 : i === 63 ? -(2 ** 30) : 1,
      );
      expect(await read(sum(onGpu(tree, [1, 64]), -1))).toEqual([62]);
    });

    const spreading: [string, (t: Tensor) => Tensor][] = [
      ['sum', (t) => sum(t, -1)],
      ['amax', (t) => amax(t, -1)],
      ['logsumexp', (t) => logsumexp(t, -1)],
      ['softmax', softmax],
      ['rmsNorm', rmsNorm],
      ['crossEntropy', (t) => crossEntropy(t, tensor(Int32Array.of(0), { device: 'gpu' }))],
    ];
    it.each(spreading)(
      'NaN at any place spreads through %s, and infinities as in the plain kernel',
      async (_, op) => {
        for (const at of [0, 1, 7, 31, 63, 64, 99]) {
          const values = draw(100);
          values[at] = NaN;
          expect((await read(op(onGpu(values, [1, 100])))).some(Number.isNaN)).toBe(true);
        }
        expect((await read(op(onGpu(draw(100), [1, 100])))).some(Number.isNaN)).toBe(false);
        for (const infinity of [Infinity, -Infinity]) {
          const values = draw(100);
          values[77] = infinity;
          const seen = async () => (await read(op(onGpu(values, [1, 100])))).map(kind);
          context!.pipelines.subgroups = false;
          const plain = await seen();
          context!.pipelines.subgroups = true;
          expect(await seen()).toEqual(plain);
        }
      },
    );

    it('NaN in the scan reaches the same outputs as in the plain kernel', async () => {
      const values = draw(2 * 700 * 3);
      values[3 * 300 + 1] = NaN;
      const seen = async () => (await read(scan(values))).map(Number.isNaN);
      const own = await seen();
      context!.pipelines.subgroups = false;
      expect(own).toEqual(await seen());
      expect(own.indexOf(true)).toBe(3 * 300 + 1);
    });

    it('a device of the caller takes them too, unless they are refused', async () => {
      const { device } = context!;
      expect(createContext({ device }).pipelines.subgroups).toBe(true);
      const refused = createContext({ device, subgroups: false });
      expect(refused.pipelines.subgroups).toBe(false);
      expect(await read(sum(onGpu([1, 2, 3], [1, 3]), -1))).toEqual([6]);
    });
  },
);

const kind = (v: number) => (Number.isNaN(v) ? 'NaN' : Number.isFinite(v) ? 'finite' : String(v));
