import { describe, expect, it } from 'vitest';
import { formatValue } from '../../../kernel/display/index.js';
import { packFigure } from '../../../kernel/display/plotly-pack.js';
import type { Figure } from '../../../lib/report/figure.js';

const PLOTLY = 'application/vnd.plotly.v1+json';

interface Packed {
  data: { x: unknown; y: { dtype: string; bdata: string; shape?: string }; z?: unknown }[];
  layout: Record<string, unknown>;
}

async function bundle(
  value: unknown,
): Promise<{ plotly?: Packed; html?: string; text: string; bytes: number }> {
  const { data } = await formatValue(value);
  return {
    plotly: data[PLOTLY] as Packed | undefined,
    html: data['text/html'] as string | undefined,
    text: data['text/plain'] as string,
    bytes: JSON.stringify(data).length,
  };
}

const figure: Figure = {
  id: 'f',
  title: 'Loss <by> step',
  caption: 'It falls.',
  x: { label: 'step', log: true },
  y: { label: 'loss' },
  series: [{ name: 'scan', kind: 'line', x: [1, 10, 100], y: [5, 2, 1], low: [4, 1, 0.5], high: [6, 3, 2] }],
};

describe('figures of the library', () => {
  it('are plotly JSON and a static picture', async () => {
    const { plotly, html, text } = await bundle(figure);
    expect(plotly!.data).toHaveLength(2);
    expect(html).toContain('<svg');
    expect(html).toContain('Loss &lt;by&gt; step');
    expect(text).toBe('Figure "Loss <by> step" (step → loss)\n  scan: line, 3 points');
  });

  it('are shown as pictures when they come as a list', async () => {
    const { plotly, html } = await bundle([figure, figure]);
    expect(plotly).toBeUndefined();
    expect(html!.match(/<svg/g)).toHaveLength(2);
  });

  it('that are not sound show their text and the reason', async () => {
    const broken = { ...figure, series: [{ name: 's', kind: 'line', x: [1, 2], y: [1] }] };
    expect((await bundle(broken)).text).toContain('must have equal lengths');
  });
});

describe('plotly figures', () => {
  it('pack long runs of numbers without loss into the smallest type', () => {
    const x = Array.from({ length: 1000 }, (_, i) => i);
    const y = x.map((i) => Math.sin(i));
    const z = Array.from({ length: 20 }, (_, r) => x.slice(0, 10).map((c) => r * c * 1.5));
    const packed = packFigure({ data: [{ x, y, z }], layout: { title: 't' } }) as Packed;
    expect((packed.data[0].x as { dtype: string }).dtype).toBe('u2');
    expect(packed.data[0].y.dtype).toBe('f8');
    const bytes = Buffer.from(packed.data[0].y.bdata, 'base64');
    expect([...new Float64Array(new Uint8Array(bytes).buffer)]).toEqual(y);
    expect(packed.data[0].z).toMatchObject({ dtype: 'f4', shape: '20, 10' });
  });

  it('keep gaps, short lists, dates, words and nested attributes as they are', () => {
    const trace = {
      type: 'scatter',
      x: ['2024-01-01', new Date(0)],
      y: [1, null],
      marker: { size: Float32Array.of(1, 2.5), color: ['red', 'blue'] },
      text: ['a', 'b'],
    };
    expect(packFigure({ data: [trace] })).toEqual({
      data: [
        {
          type: 'scatter',
          x: ['2024-01-01', '1970-01-01T00:00:00.000Z'],
          y: [1, null],
          marker: { size: [1, 2.5], color: ['red', 'blue'] },
          text: ['a', 'b'],
        },
      ],
      layout: {},
    });
    const gaps = Array.from({ length: 100 }, (_, i) => (i === 5 ? NaN : i));
    const packed = packFigure({ data: [{ y: gaps }] }) as Packed;
    expect(packed.data[0].y.dtype).toBe('f4');
  });

  it('of points, bars, counts and cells have a static picture, others say that they have none', async () => {
    const traces = [
      { x: [1, 2, 3], y: [1, NaN, 2] },
      { type: 'scatter', mode: 'markers', x: ['a', 'b'], y: [1, 2] },
      { type: 'bar', x: ['a', 'b'], y: [3, -1] },
      { type: 'histogram', x: [1, 2, 2, 3] },
      { type: 'heatmap', z: [[1, 2], [3, 4]] }, // prettier-ignore
    ];
    for (const trace of traces) {
      const { plotly, html } = await bundle({ data: [trace], layout: { title: { text: 'T <i>' } } });
      expect(plotly!.data).toHaveLength(1);
      expect(html).toContain('<svg');
      expect(html).not.toContain('NaN');
      expect(html).not.toContain('<i>');
    }
    const { html } = await bundle({ data: [{ type: 'surface', z: [[1]] }] });
    expect(html).toContain('this page cannot show plotly figures');
  });

  it('whose values no axis can hold have no picture, and end', async () => {
    for (const y of [
      [1e20, 1e20 + 16384],
      [5e-324, 0],
      [-1.7e308, 1.7e308],
      [1e17, 1e17],
    ])
      // prettier-ignore
      expect((await bundle({ data: [{ x: [1, 2], y }] })).html).toContain('cannot show plotly figures');
  });

  it('are not guessed from any object with data in it', async () => {
    for (const value of [
      { data: [1, 2], layout: {} },
      { data: [{ id: 1, name: 'x' }] },
      { data: [], layout: {} },
      { data: [{ type: 'user', x: 1 }] },
      { data: [{ x: [1], y: [2] }], status: 200 },
      { data: 'x' },
    ])
      expect((await bundle(value)).plotly).toBeUndefined();
  });

  it('make a notebook of twenty of them smaller than 2 MB, without plotly inside', async () => {
    let bytes = 0;
    for (let f = 0; f < 20; f++) {
      const x = Array.from({ length: 2000 }, (_, i) => i + f);
      const traces = [1, 2].map((k) => ({
        type: 'scatter',
        mode: 'lines',
        x,
        y: x.map((v) => Math.sin(v * k)),
      }));
      const shown = await bundle({ data: traces, layout: { title: { text: `figure ${f}` } } });
      expect(shown.html).not.toContain('<script');
      bytes += shown.bytes;
    }
    expect(bytes).toBeLessThan(2e6);
  });
});
