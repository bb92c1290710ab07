/** Tier adapter: plans of many blocks and experts, gates and movements on a GPU against the host, integers exactly. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  blockExperts,
  closeGpu,
  combine,
  dispatch,
  planDispatch,
  tensor,
  topKGate,
  type DispatchPlan,
  type PlanOptions,
  type Tensor,
} from '../../lib/index.js';
import { Random } from '../../lib/core/random.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

interface Setting extends Omit<PlanOptions, 'priority'> {
  T: number;
  k: number;
  /** All choices go here. */
  hot?: number;
  prioritised?: boolean;
}

const SETTINGS: Setting[] = [
  { T: 3001, k: 2, experts: 7, capacity: 800 },
  { T: 3001, k: 2, experts: 7, capacity: 800, order: 'choice-major' },
  { T: 2500, k: 3, experts: 300, order: 'choice-major' },
  { T: 1500, k: 8, experts: 1024, block: 16 },
  { T: 2000, k: 2, experts: 257, hot: 256, block: 128 },
  { T: 2000, k: 2, experts: 3, capacity: 700, prioritised: true, order: 'choice-major' },
  { T: 2000, k: 1, experts: 2, prioritised: true },
  { T: 40, k: 64, experts: 64 },
  { T: 1, k: 1, experts: 257, block: 128 },
];

function drawPlan({ T, k, hot, prioritised, ...options }: Setting, device: 'host' | 'gpu'): DispatchPlan {
  const random = new Random(8).split(`${T} ${k} ${options.experts}`);
  const draw = () => (random.uniform() < 0.05 ? -1 : (hot ?? Math.floor(random.uniform() * options.experts)));
  const ids = Int32Array.from({ length: T * k }, draw);
  // Zeros of both signs are equal priorities; many ties.
  const levels = [-1e30, -2.5, -0, 0, 1e-40, 1, 1.0000001, 3e38];
  const priority = prioritised
    ? tensor(
        Float32Array.from({ length: T }, () => levels[Math.floor(random.uniform() * levels.length)]),
        { device },
      )
    : undefined;
  return planDispatch(tensor(ids, { shape: [T, k], device }), { ...options, priority });
}

const FIELDS = ['slots', 'offsets', 'counts', 'load', 'source'] as const;

describe.skipIf(!context)(`plans on a GPU ${reason}`, { timeout: COLD }, () => {
  it.each(SETTINGS)('equal those of the host: %o', async (setting) => {
    const [here, there] = [drawPlan(setting, 'host'), drawPlan(setting, 'gpu')];
    expect(there.rows).toBe(here.rows);
    for (const field of FIELDS)
      expect(Array.from(await there[field].data()), field).toEqual(Array.from(await here[field].data()));
    const block = setting.block ?? 1;
    if (setting.capacity === undefined)
      expect(Array.from(await blockExperts(there, block).data())).toEqual(
        Array.from(await blockExperts(here, block).data()),
      );
  });

  it('leave out experts that do not exist', async () => {
    const experts = tensor(Int32Array.of(0, 7, -3, 1), { shape: [4, 1], device: 'gpu' });
    const plan = planDispatch(experts, { experts: 2 });
    expect(Array.from(await plan.slots.data())).toEqual([0, -1, -1, 1]);
    expect(Array.from(await plan.source.data())).toEqual([0, 3, -1, -1]);
  });
});

describe.skipIf(!context)(`gates on a GPU ${reason}`, { timeout: COLD }, () => {
  const logits = (device: 'host' | 'gpu', T: number, E: number) => {
    const random = new Random(9).split(`${T} ${E}`);
    // Few distinct values: ties everywhere.
    const values = Float32Array.from({ length: T * E }, () => Math.floor(random.uniform() * 9) / 4);
    return tensor(values, { shape: [T, E], device });
  };

  it.each([
    { T: 33, E: 4, k: 2 },
    { T: 17, E: 31, k: 8 },
    { T: 9, E: 60, k: 60 },
    { T: 5, E: 1030, k: 16 },
  ])('choose like the host among many ties: %o', async ({ T, E, k }) => {
    const [here, there] = (['host', 'gpu'] as const).map((d) => topKGate(logits(d, T, E), { k }));
    expect(Array.from(await there.experts.data())).toEqual(Array.from(await here.experts.data()));
  });

  it('take masks of integers and carry NaN into the weights of its token alone', async () => {
    const x = tensor(Float32Array.of(1, NaN, 2, 1, 3, 4), { shape: [3, 2], device: 'gpu' });
    const mask = tensor(Int32Array.of(1, 1, 0), { device: 'gpu' });
    const { weights, experts } = topKGate(x, { k: 1, mask, normalize: 'chosen' });
    expect(Array.from(await weights.data())).toEqual([NaN, 1, 0]);
    expect(Array.from(await experts.data())).toEqual([1, 0, -1]);
  });
});

describe.skipIf(!context)(`dispatch and combine on a GPU ${reason}`, { timeout: COLD }, () => {
  it('undo each other to the bit, and leave dropped choices out whatever their weight', async () => {
    const setting = { T: 500, k: 1, experts: 9, block: 16 };
    const plan = drawPlan(setting, 'gpu');
    const random = new Random(4);
    const values = Float32Array.from({ length: 500 * 33 }, () => random.normal());
    const x = tensor(values, { shape: [500, 33], device: 'gpu' });
    const slots = await plan.slots.data();
    const weights = tensor(
      Float32Array.from(slots, (s) => (s < 0 ? NaN : 1)),
      {
        shape: [500, 1],
        device: 'gpu',
      },
    );
    const expected = Array.from(values, (v, i) => (slots[Math.floor(i / 33)] < 0 ? 0 : v));
    const back: Tensor = combine(dispatch(x, plan), plan, weights);
    expect(Array.from(await back.data())).toEqual(expected);
  });
});
