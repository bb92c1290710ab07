import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/core/errors.js';
import { heatMapSvg, type HeatMap } from '../../lib/report/index.js';

const map: HeatMap = {
  title: 'Weights <D>',
  x: 'column',
  y: 'row',
  unit: 'weight',
  values: [
    [1, NaN, 0],
    [-0.5, 1, 1],
  ],
};
const strokes = (svg: string): string[] =>
  [...svg.matchAll(/<path (stroke="#[^>]*)\/>/g)].map((found) => found[1]);

describe('heatMapSvg', () => {
  it('escapes text and names the picture for screen readers', () => {
    const svg = heatMapSvg(map);
    expect(svg).toContain('aria-label="Weights &lt;D&gt;"');
    expect(svg).not.toContain('<D>');
  });

  it('draws equal neighbours as one stroke, zeros and NaN as nothing, negative numbers in their own colour', () => {
    expect(strokes(heatMapSvg(map))).toEqual([
      'stroke="#0072b2" stroke-opacity="1" d="M0 0.5h1M1 1.5h2"',
      'stroke="#d55e00" stroke-opacity="0.5" d="M0 1.5h1"',
    ]);
  });

  it('measures strength against `most`, by the logarithm with `decades`', () => {
    const values = [[1, 0.01, 0]];
    const opacities = (more: Partial<HeatMap>): string[] =>
      strokes(heatMapSvg({ ...map, values, ...more })).map((s) => /opacity="([^"]*)"/.exec(s)![1]);
    expect(opacities({ most: 2 })).toEqual(['0.5']);
    expect(opacities({ decades: 4 })).toEqual(['1', '0.5']);
  });

  it('gives kinds colours and names, and draws lines between blocks', () => {
    const kind = (row: number): number => row;
    const svg = heatMapSvg({ ...map, values: [[1], [1]], kind, kinds: ['inside', 'between'], every: 1 });
    expect(strokes(svg).map((s) => s.slice(8, 15))).toEqual(['#0072b2', '#d55e00']);
    expect(svg).toContain('>between</text>');
    expect(svg).toMatch(/<path d="M58 \d+H\d+" fill="none"/);
  });

  it('uses no colour but the page’s for text and axes, so that it reads on white and on dark ground', () => {
    expect(heatMapSvg(map)).toContain('fill="currentColor"');
    expect(heatMapSvg(map)).not.toMatch(/fill="(black|#000|#fff)/);
  });

  it.each([
    [[], /rows of one length, at least 1, got \[\]/],
    [[[1], [1, 2]], /rows of one length/],
  ])('refuses the rows %j', (values, message) => {
    expect(() => heatMapSvg({ ...map, values })).toThrow(ArgumentError);
    expect(() => heatMapSvg({ ...map, values })).toThrow(message);
  });

  it('refuses a strength or a block length that is not positive', () => {
    expect(() => heatMapSvg({ ...map, every: 0 })).toThrow(/every must be a positive number, got 0/);
    expect(() => heatMapSvg({ ...map, most: -1 })).toThrow(/most must be a positive number, got -1/);
  });
});
