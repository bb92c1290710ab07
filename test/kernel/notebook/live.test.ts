/** Live charts: few drawings, the last state, and a movable figure at the end. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Figure } from '../../../lib/report/index.js';
import { PLOTLY } from '../../../kernel/notebook/bundle.js';
import { seriesOf, thinned } from '../../../kernel/notebook/curves.js';
import { live, liveChart } from '../../../kernel/notebook/index.js';
import { FakeClock, FakeHost } from './fake-host.js';

let host: FakeHost;
let clock: FakeClock;
beforeEach(async () => {
  host = new FakeHost().install();
  clock = new FakeClock();
  await import('../../../lib/report/index.js');
});

describe('liveChart', () => {
  it('draws static pictures at most ten times a second and ends with a movable one', async () => {
    const chart = liveChart({ title: 'Training', y: 'loss', clock });
    for (let step = 1; step <= 300; step++) {
      chart.add(step, { train: 1 / step, test: 1.1 / step });
      await clock.pass(10);
    }
    const during = host.displays.length;
    expect(during).toBeGreaterThan(20);
    expect(during).toBeLessThanOrEqual(31);
    expect(host.displays.every(({ data }) => !(PLOTLY in data))).toBe(true);
    await chart.close();
    expect(host.page).toHaveLength(1);
    const { data } = host.page[0][PLOTLY] as { data: { name: string; x: number[] }[] };
    expect(data.map(({ name, x }) => [name, x.length])).toEqual([
      ['train', 300],
      ['test', 300],
    ]);
    expect(String(host.page[0]['image/svg+xml'])).toContain('aria-label="Training"');
    expect(host.page[0]['text/plain']).toBe('Training (loss over step; last: train 0.003333, test 0.003667)');
  });

  it('shows the last point although nothing follows it', async () => {
    const chart = liveChart({ y: 'loss', clock });
    chart.add(1, 5);
    await clock.pass(20);
    chart.add(2, 4);
    await clock.pass(100);
    expect(host.page[0]['text/plain']).toContain('last: loss 4');
  });

  it('says on the picture what it cannot draw', async () => {
    const chart = liveChart({ title: 'T', y: 'loss', logY: true, clock });
    for (const y of [1, NaN, 0, 2]) chart.add(y || 9, y);
    await chart.close();
    expect(chart.figure().title).toBe('T; loss: 2 not drawn, the first NaN at 9');
    expect(host.page[0]['text/plain']).toContain('last: loss 2');
  });

  it('draws only the end where nobody looks on', async () => {
    host.headless = true;
    const chart = liveChart({ clock });
    for (let i = 0; i < 50; i++) {
      chart.add(i, i);
      await clock.pass(200);
    }
    await chart.close();
    expect(host.displays).toHaveLength(1);
  });

  it('shows how far an interrupted cell came', async () => {
    const chart = liveChart({ clock });
    chart.add(1, 7);
    host.controller.abort();
    await chart.close();
    expect(PLOTLY in host.page[0]).toBe(true);
  });

  it('refuses what is no number, and points after its end', async () => {
    const chart = liveChart({ clock });
    expect(() => chart.add('1' as unknown as number, 1)).toThrow(/x must be a number, got "1"/);
    expect(() => chart.add(1, { a: null as unknown as number })).toThrow(/a must be a number, got null/);
    await chart.close();
    expect(() => chart.add(1, 1)).toThrow(/must come before close/);
  });
});

describe('live', () => {
  const figure = (y: number[]): Figure => ({
    id: 'f',
    title: 'F',
    caption: '',
    x: { label: 'x' },
    y: { label: 'y' },
    series: [{ name: 's', kind: 'line', x: y.map((_, i) => i), y }],
  });

  it('draws the figure of its function when told', async () => {
    const y = [1, 2];
    const made = live(() => figure(y), { clock });
    await clock.pass(0);
    y.push(3);
    made.redraw();
    await clock.pass(100);
    expect(host.page[0]['text/plain']).toContain('last: s 3');
    y.push(4);
    await made.close();
    expect(host.page[0]['text/plain']).toContain('last: s 4');
  });

  it('shows an error of its function once, in the cell', async () => {
    const made = live(
      () => {
        throw new Error('no figure');
      },
      { clock },
    );
    await clock.pass(500);
    const errors = host.outputs.filter(({ output }) => output.kind === 'error');
    expect(errors.map(({ output }) => output)).toMatchObject([{ evalue: 'no figure' }]);
    expect(() => made.redraw()).toThrow(/closed/);
  });

  it('gives an error of the last picture to the caller', async () => {
    let broken = false;
    const made = live(
      () => {
        if (broken) throw new Error('broken');
        return figure([1]);
      },
      { clock },
    );
    await clock.pass(0);
    broken = true;
    await expect(made.close()).rejects.toThrow('broken');
  });
});

describe('curves', () => {
  it('thinned keep their ends, their extremes and their order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 3000 }), (y) => {
        const x = y.map((_, i) => i);
        const [xs, ys] = thinned(x, y, 100);
        expect(xs.length).toBeLessThanOrEqual(Math.max(100, 4));
        expect([xs[0], xs.at(-1)]).toEqual([0, y.length - 1]);
        expect(Math.max(...ys)).toBe(Math.max(...y));
        expect(Math.min(...ys)).toBe(Math.min(...y));
        for (let i = 1; i < xs.length; i++) expect(xs[i]).toBeGreaterThan(xs[i - 1]);
        expect(ys).toEqual(xs.map((i) => y[i]));
      }),
    );
  });

  it('that cannot be drawn at all are named but make no series', () => {
    const { series, notes } = seriesOf([{ name: 'a', x: [1], y: [NaN] }], { logX: false, logY: false });
    expect(series).toEqual([]);
    expect(notes).toEqual(['a: 1 not drawn, the first NaN at 1']);
  });
});
