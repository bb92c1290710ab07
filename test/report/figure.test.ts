import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/core/errors.js';
import { toPlotly, toSvg, type Figure } from '../../lib/report/index.js';
import { linearTicks, logTicks, short } from '../../lib/report/svg.js';

const figure: Figure = {
  id: 'lines',
  title: 'Time & <length>',
  caption: 'A caption.',
  x: { label: 'tokens', log: true },
  y: { label: 's', log: true },
  series: [
    {
      name: 'scan',
      kind: 'line',
      x: [100, 1000, 10000],
      y: [1, 10, 100],
      low: [0.9, 9, 90],
      high: [1.1, 11, 110],
    },
    { name: 'attention', kind: 'line', x: [100, 1000, 10000], y: [1, 100, 10000] },
    { name: 'floor', kind: 'level', x: [], y: [2] },
  ],
};
const numbers = (text: string): number[] => text.match(/-?\d+(\.\d+)?/g)!.map(Number);

describe('toSvg', () => {
  const svg = toSvg(figure);

  it('escapes text and names the picture for screen readers', () => {
    expect(svg).toContain('aria-label="Time &amp; &lt;length&gt;"');
    expect(svg).not.toContain('<length>');
  });

  it('places equal factors at equal distances on logarithmic axes', () => {
    const line = /<path d="(M[^"]*)" fill="none" stroke="#d55e00"/.exec(svg)![1];
    const [x0, y0, x1, y1, x2, y2] = numbers(line);
    expect(x1 - x0).toBeCloseTo(x2 - x1, 1);
    expect(y1 - y0).toBeCloseTo(y2 - y1, 1);
    expect(y1).toBeLessThan(y0);
  });

  it('draws a band, a dashed level and one legend entry a group', () => {
    expect(svg).toContain('fill-opacity="0.18"');
    expect(svg).toContain('stroke-dasharray="6 4"');
    expect(svg.match(/>scan<\/text>/g)).toHaveLength(1);
  });

  it('keeps everything inside the picture and writes no NaN', () => {
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    const circles = [...svg.matchAll(/cx="([\d.]+)" cy="([\d.]+)"/g)].map((m) => [
      Number(m[1]),
      Number(m[2]),
    ]);
    expect(circles.length).toBe(6);
    for (const [x, y] of circles) {
      expect(x).toBeGreaterThanOrEqual(0);
      expect(x).toBeLessThanOrEqual(640);
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThanOrEqual(360);
    }
  });

  it('refuses numbers that a logarithmic axis cannot hold, and series of unequal length', () => {
    const wrong = (y: number[]): Figure => ({
      ...figure,
      series: [{ name: 'bad', kind: 'line', x: [1, 2], y }],
    });
    expect(() => toSvg(wrong([0, 1]))).toThrow(ArgumentError);
    expect(() => toSvg(wrong([NaN, 1]))).toThrow(/bad must be positive/);
    expect(() => toSvg(wrong([1]))).toThrow(/equal lengths/);
  });
});

describe('ticks', () => {
  it('are round numbers inside the range', () => {
    expect(linearTicks(0, 1).map((t) => t.text)).toEqual(['0', '0.2', '0.4', '0.6', '0.8', '1']);
    expect(logTicks(90, 12000).map((t) => t.value)).toEqual([100, 1000, 10000]);
    expect(logTicks(0.9, 12).map((t) => t.value)).toEqual([1, 2, 5, 10]);
  });

  it('gives one tick where f64 has too few numbers to step by', () => {
    expect(linearTicks(1e20, 1e20 + 16384)).toHaveLength(1);
    expect(linearTicks(-1e20 - 16384, -1e20)).toHaveLength(1);
  });

  it('have short texts', () => {
    expect([0, 0.00002, 0.25, 4096, 16384, 2e6].map(short)).toEqual([
      '0',
      '2e−5',
      '0.25',
      '4096',
      '16.4k',
      '2M',
    ]);
  });
});

describe('toPlotly', () => {
  it('is plain data with one trace a series, a band of its own, and one legend entry a group', () => {
    const { data, layout } = toPlotly(figure);
    expect(JSON.parse(JSON.stringify(data))).toEqual(data);
    expect(data).toHaveLength(4);
    expect(data.filter((trace) => trace['showlegend'])).toHaveLength(3);
    expect(layout['xaxis']).toMatchObject({ type: 'log' });
  });

  it('names 2 and 5 times the powers of ten, but over many powers these alone', () => {
    const axisOf = (y: number[]) =>
      toPlotly({ ...figure, series: [{ name: 'a', kind: 'line', x: y, y }] }).layout['yaxis'];
    expect(axisOf([1, 1000])).toMatchObject({ type: 'log', dtick: 'D2' });
    expect(axisOf([1e-12, 1])).toMatchObject({ type: 'log', dtick: 1 });
  });
});
