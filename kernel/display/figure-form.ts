/** Figures: plotly's own, and the library's, as plotly JSON with a static picture beside it. */
import type { Figure } from '../../lib/report/figure.js';
import type { Metadata, MimeBundle } from '../threads/messages.js';
import { typedArrayDtype } from './array-view.js';
import { card, escapeHtml, note } from './html.js';
import { packFigure } from './plotly-pack.js';
import { isDrawable, plotlySvg, slim, titleText } from './plotly-svg.js';
import { allOf, count, peek, text } from './safe.js';

export const PLOTLY = 'application/vnd.plotly.v1+json';

type Formed = { data: MimeBundle; metadata: Metadata };

interface PlotlyLike {
  data: readonly object[];
  layout?: unknown;
  config?: unknown;
}

const TRACES = new Set(
  (
    'scatter scattergl bar box heatmap histogram histogram2d histogram2dcontour contour violin funnel waterfall ' +
    'image pie sunburst treemap icicle funnelarea scatter3d surface mesh3d cone streamtube volume isosurface ' +
    'scattergeo choropleth scattermap choroplethmap densitymap scattermapbox choroplethmapbox densitymapbox ' +
    'scatterpolar scatterpolargl barpolar scatterternary scattersmith sankey splom parcats parcoords carpet ' +
    'scattercarpet contourcarpet ohlc candlestick table indicator'
  ).split(' '),
);
const KEYS = new Set(['data', 'layout', 'config', 'frames']);

function isTrace(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const type = peek(value, 'type');
  if (type !== undefined) return typeof type === 'string' && TRACES.has(type);
  // Plotly's default is a scatter: it needs something to plot.
  return ['x', 'y'].some((key) => {
    const run = peek(value, key);
    return Array.isArray(run) || typedArrayDtype(run) !== undefined;
  });
}

/** Is this a plotly figure, and not just an object with data in it? */
export function isPlotly(value: object): value is PlotlyLike {
  if (!allOf(peek(value, 'data'), isTrace)) return false;
  const layout = peek(value, 'layout');
  if (layout !== undefined && (typeof layout !== 'object' || layout === null)) return false;
  return Object.keys(value).every((key) => KEYS.has(key) || key.startsWith('_'));
}

const KINDS = new Set(['line', 'points', 'level']);

/** Is this a figure of lib/report? */
export function isFigure(value: unknown): value is Figure {
  const series = peek(value, 'series');
  if (!Array.isArray(series) || typeof peek(value, 'title') !== 'string') return false;
  if (typeof peek(peek(value, 'x'), 'label') !== 'string') return false;
  if (typeof peek(peek(value, 'y'), 'label') !== 'string') return false;
  return series.every((s) => KINDS.has(text(peek(s, 'kind'))) && Array.isArray(peek(s, 'x')));
}

async function svgOf(figure: Figure): Promise<string> {
  if (!isDrawable(figure.series)) return note(`${figure.title}: its values do not fit a static picture`);
  const { toSvg } = await import('../../lib/report/svg.js');
  return slim(toSvg(figure)) + (figure.caption ? note(figure.caption) : '');
}

/** "A title: 2 series, line" */
function figureText(figure: Figure): string {
  const lines = figure.series.map((s) => `  ${s.name}: ${s.kind}, ${count(s.x.length, 'point')}`);
  const axes = `${figure.x.label} → ${figure.y.label}`;
  return [`Figure "${figure.title}" (${axes})`, ...lines.slice(0, 12)].join('\n');
}

/** A figure of the library. @throws ArgumentError of the library when the figure is not sound */
export async function libraryFigureForm(figure: Figure): Promise<Formed> {
  const { toPlotly } = await import('../../lib/report/figure.js');
  const plotly = toPlotly(figure);
  return {
    data: {
      [PLOTLY]: packFigure({ ...plotly, layout: { ...plotly.layout, height: 420 } }),
      'text/html': card(await svgOf(figure)),
      'text/plain': figureText(figure),
    },
    metadata: {},
  };
}

/** Several figures of the library: one MIME type holds one plotly figure, so they are shown as pictures. */
export async function figuresForm(figures: readonly Figure[]): Promise<Formed> {
  const shown = figures.slice(0, 12);
  const pictures = await Promise.all(shown.map(svgOf));
  const rest = figures.length > shown.length ? note(`… ${figures.length - shown.length} more figures`) : '';
  return {
    data: {
      'text/html': card(pictures.map((picture) => `<div>${picture}</div>`).join('') + rest),
      'text/plain': figures.map(figureText).join('\n'),
    },
    metadata: {},
  };
}

/** A plotly figure; its picture is left out where one cannot be drawn truthfully. */
export async function plotlyForm(figure: PlotlyLike): Promise<Formed> {
  const title = titleText(figure.layout);
  const traces = figure.data.map((trace) => {
    const name = peek(trace, 'name');
    return `  ${text(peek(trace, 'type') ?? 'scatter')}${typeof name === 'string' ? ` "${name}"` : ''}`;
  });
  const plain = [`plotly figure${title ? ` "${title}"` : ''}`, ...traces.slice(0, 12)].join('\n');
  const data: MimeBundle = { [PLOTLY]: packFigure(figure) };
  const picture = await plotlySvg(figure).catch(() => undefined);
  const fallback = `<div>${escapeHtml(plain)}</div>${note('this page cannot show plotly figures')}`;
  data['text/html'] = card(picture ?? fallback);
  data['text/plain'] = plain;
  return { data, metadata: {} };
}
