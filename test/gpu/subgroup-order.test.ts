/**
 * Subgroup variants assume no order of invocations either. Drivers number them as one expects, so the texts are edited
 * here: invocations take each other's places, and every second subgroup behaves as if its ids had gaps.
 */
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Form } from '../../lib/tensor/backend.js';

const edits = vi.hoisted(() => ({ permute: false, gaps: false, edited: 0 }));

vi.mock('../../lib/generated/wgsl.js', async (original) => {
  const { wgsl } = await original<{ wgsl: Record<string, string> }>();
  const change = (name: string, text: string): string => {
    if (!name.endsWith('-subgroups') || !text.includes('@compute')) return text;
    const index = /local_invocation_index\) (\w+)/.exec(text)![1];
    let changed = text;
    if (edits.gaps)
      changed = changed.replace(
        /spanOf\(id\)/g,
        `select(1u, spanOf(id), subgroupBroadcastFirst(${index}) % 16u < 8u)`,
      );
    if (edits.permute)
      changed = changed.replace(
        new RegExp(`(local_invocation_index\\) )${index}(: u32[^{]*\\{)`),
        `$1raw$2 let ${index} = (raw * 21u + 5u) % 64u;`,
      );
    if (changed !== text) edits.edited++;
    return changed;
  };
  const get = (all: Record<string, string>, name: string) =>
    name in all ? change(name, all[name]) : undefined;
  return { wgsl: new Proxy(wgsl, { get: (all, name) => get(all, String(name)) }) };
});

const first = await import('./support.js').then((support) => support.openAdapter());
const lacks = first.context?.features.has('subgroups') ? '' : first.reason || 'the adapter has no subgroups';

describe.skipIf(lacks !== '')(`subgroup variants ${lacks}`, { timeout: 240_000 }, () => {
  beforeEach(async () => {
    (await import('../../lib/index.js')).closeGpu();
    vi.resetModules();
    edits.edited = 0;
  });
  afterAll(async () => (await import('../../lib/index.js')).closeGpu());

  const ways: [string, boolean, boolean][] = [
    ['invocations in another order', true, false],
    ['ids with gaps in some subgroups', false, true],
    ['both', true, true],
  ];
  const records: [string, Form][] = [
    ['ops/sum', 'parallel'],
    ['ops/logsumexp', 'parallel'],
    ['ops/softmax', 'parallel'],
    ['ops/layer-norm', 'parallel'],
    ['selective-scan', 'scan'],
  ];
  it.each(ways)('equal the f64 reference with %s', async (_, permute, gaps) => {
    Object.assign(edits, { permute, gaps });
    const { openAdapter } = await import('./support.js');
    const { operator } = await import('../../lib/index.js');
    const { casesOf } = await import('../../lib/tensor/cases.js');
    const { conform } = await import('../../lib/tensor/conformance.js');
    const { context } = await openAdapter();
    expect(context!.pipelines.subgroups).toBe(true);
    for (const [id, form] of records)
      for (const c of casesOf(operator(id).record, form).filter(
        (k) => k.gpu !== false && !/state|wide/.test(k.name),
      ))
        expect(
          (await conform(operator(id), c, form, 'webgpu')).filter((r) => !r.ok).map((r) => r.text),
        ).toEqual([]);
    expect(edits.edited).toBeGreaterThanOrEqual(4);
  });
});
