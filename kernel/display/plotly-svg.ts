/** A static picture of a plotly figure, for pages without plotly: scatter, bar, histogram and heatmap traces. */
import type { Figure, Series } from '../../lib/report/figure.js';
import { typedArrayDtype } from './array-view.js';
import { escapeHtml, PALE } from './html.js';
import { heatMap } from './pictures.js';
import { peek, text } from './safe.js';
import { statisticsOf } from './statistics.js';

/** Points drawn of one figure; a static picture of a notebook stays small. */
const POINTS = 1200;

type Trace = Record<string, unknown>;

function list(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  return typedArrayDtype(value) ? Array.from(value as ArrayLike<unknown>) : undefined;
}

function nameOf(trace: Trace, place: number): string {
  return typeof trace.name === 'string' && trace.name !== '' ? trace.name : `trace ${place}`;
}

/** Title of a figure, an axis: a string, or plotly's `{text}`; markup taken out. */
export function titleText(value: unknown): string {
  const title = peek(value, 'title');
  const words = typeof title === 'string' ? title : peek(title, 'text');
  return typeof words === 'string' ? words.replace(/<br\s*\/?>/g, ' ').replace(/<[^>]*>/g, '') : '';
}

/** Positions on an axis: numbers as they are, dates as milliseconds, other words numbered in order of sight. */
class Positions {
  private readonly words = new Map<string, number>();

  at(values: readonly unknown[]): number[] {
    return values.map((value) => {
      if (typeof value === 'number') return value;
      if (typeof value === 'bigint') return Number(value);
      if (value === null || value === undefined) return NaN;
      const word = value instanceof Date ? value.toISOString() : text(value);
      if (!this.words.has(word)) this.words.set(word, this.words.size);
      return this.words.get(word)!;
    });
  }

  get categories(): string[] | undefined {
    return this.words.size > 0 ? [...this.words.keys()] : undefined;
  }
}

/** Points in runs without gaps: a line must not bridge what is missing. */
function runs(x: readonly number[], y: readonly number[]): { x: number[]; y: number[] }[] {
  const out: { x: number[]; y: number[] }[] = [];
  let open = false;
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const there = Number.isFinite(x[i]) && Number.isFinite(y[i]);
    if (there && !open) out.push({ x: [], y: [] });
    if (there) {
      out[out.length - 1].x.push(x[i]);
      out[out.length - 1].y.push(y[i]);
    }
    open = there;
  }
  return out;
}

/** At most `most` points of a run: of each stretch the least and the greatest, in their order. */
function thinned(run: { x: number[]; y: number[] }, most: number): { x: number[]; y: number[] } {
  const n = run.x.length;
  if (n <= most) return run;
  const kept: number[] = [];
  const stretches = Math.max(1, Math.floor(most / 2));
  for (let s = 0; s < stretches; s++) {
    const [from, to] = [Math.floor((s * n) / stretches), Math.floor(((s + 1) * n) / stretches)];
    let [low, high] = [from, from];
    for (let i = from; i < to; i++) {
      if (run.y[i] < run.y[low]) low = i;
      if (run.y[i] > run.y[high]) high = i;
    }
    kept.push(...new Set([Math.min(low, high), Math.max(low, high)]));
  }
  return { x: kept.map((i) => run.x[i]), y: kept.map((i) => run.y[i]) };
}

function scatterSeries(trace: Trace, name: string, xs: Positions, share: number, log: boolean): Series[] {
  const ys = list(trace.y);
  const given = list(trace.x) ?? ys?.map((_, i) => i);
  if (!ys || !given) return [];
  const mode = typeof trace.mode === 'string' ? trace.mode : ys.length < 20 ? 'lines+markers' : 'lines';
  const y = new Positions().at(ys).map((v) => (log && !(v > 0) ? NaN : v));
  const isLine = mode.includes('lines');
  return runs(xs.at(given), y).map((run) => ({
    name,
    group: name,
    kind: isLine ? 'line' : 'points',
    ...thinned(run, share),
  }));
}

/** Rectangles from 0 to each height as one outline with its band filled. */
function outline(
  name: string,
  edges: readonly (readonly [number, number])[],
  heights: readonly number[],
): Series {
  const x = heights.flatMap((_, i) => [edges[i][0], edges[i][0], edges[i][1], edges[i][1]]);
  const y = heights.flatMap((height) => [0, height, height, 0]);
  return { name, group: name, kind: 'line', faint: true, x, y, low: y.map(() => 0), high: y };
}

/** Upright bars, those of several traces side by side. */
function barSeries(
  trace: Trace,
  name: string,
  xs: Positions,
  place: number,
  traces: number,
): Series[] | undefined {
  const ys = list(trace.y);
  const given = list(trace.x) ?? ys?.map((_, i) => i);
  if (!ys || !given || trace.orientation === 'h' || ys.length > 400) return undefined;
  const heights = new Positions().at(ys).map((v) => (Number.isFinite(v) ? v : 0));
  const x = xs.at(given);
  const apart = [...x]
    .sort((a, b) => a - b)
    .flatMap((v, i, all) => (i > 0 && v > all[i - 1] ? v - all[i - 1] : []));
  const width = (0.8 * (apart.length > 0 ? Math.min(...apart) : 1)) / traces;
  const left = (v: number): number => v + (place - traces / 2) * width;
  return [
    outline(
      name,
      x.map((v) => [left(v), left(v) + width] as const),
      heights,
    ),
  ];
}

function histogramSeries(trace: Trace, name: string): Series[] {
  const values = list(trace.x) ?? list(trace.y);
  const numbers = values?.filter((v): v is number => typeof v === 'number' && Number.isFinite(v));
  if (!numbers || numbers.length === 0) return [];
  const { min, max } = statisticsOf(numbers) as { min: number; max: number };
  const bins = Math.max(1, Math.min(60, Number(trace.nbinsx) || Math.ceil(Math.sqrt(numbers.length))));
  const width = (max - min) / bins || 1;
  const counts = new Array<number>(bins).fill(0);
  for (const v of numbers) counts[Math.min(bins - 1, Math.floor((v - min) / width))]++;
  const edges = counts.map((_, i) => [min + i * width, min + (i + 1) * width] as const);
  return [outline(name, edges, counts)];
}

function heatmapSvg(trace: Trace, title: string): string | undefined {
  const rows = list(trace.z)?.map((row) => list(row));
  if (!rows || rows.length === 0 || !rows.every((row) => row && row.length === rows[0]!.length))
    return undefined;
  const columns = rows[0]!.length;
  if (columns === 0) return undefined;
  // Plotly draws the first row at the bottom.
  const flat = [...rows].reverse().flatMap((row) => row!.map((v) => (typeof v === 'number' ? v : NaN)));
  return `<div>${title ? `<b>${escapeHtml(title)}</b>` : ''}${heatMap(flat, rows.length, columns)}</div>`;
}

interface Axes {
  xs: Positions;
  log: boolean;
  stacked: boolean;
}

/** The series of all traces, or undefined when one of them cannot be drawn truthfully. */
function seriesOf(traces: readonly Trace[], { xs, log, stacked }: Axes): Series[] | undefined {
  const share = Math.max(60, Math.floor(POINTS / traces.length));
  const all: Series[] = [];
  for (const [i, trace] of traces.entries()) {
    const name = nameOf(trace, i);
    const type = (trace.type as string | undefined) ?? 'scatter';
    // Subplots and second axes have no place in one pair of axes.
    if ((trace.xaxis ?? 'x') !== 'x' || (trace.yaxis ?? 'y') !== 'y') return undefined;
    if (type === 'scatter' || type === 'scattergl') all.push(...scatterSeries(trace, name, xs, share, log));
    else if (log || stacked) return undefined;
    else if (type === 'histogram') all.push(...histogramSeries(trace, name));
    else {
      const bars = type === 'bar' ? barSeries(trace, name, xs, i, traces.length) : undefined;
      if (!bars) return undefined;
      all.push(...bars);
    }
  }
  return all.some((series) => series.x.length > 0) ? all : undefined;
}

/** Can ticks be put on an axis of these values? Not where f64 has no numbers between them or none beyond them. */
function hasScale(values: readonly number[]): boolean {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) if (Number.isFinite(v)) [low, high] = [Math.min(low, v), Math.max(high, v)];
  const largest = Math.max(Math.abs(low), Math.abs(high));
  if (low === high) return largest < 1e15;
  return largest < 1e300 && high - low > 1e-290 && high - low > 1e-9 * largest;
}

/** Can the library draw these series? */
export function isDrawable(series: readonly Series[]): boolean {
  const ys = series.flatMap((s) => [...s.y, ...(s.low ?? []), ...(s.high ?? [])]);
  return hasScale(series.flatMap((s) => [...s.x])) && hasScale(ys);
}

/** Marks without their titles where there are many: a title is longer than its point. */
export function slim(svg: string): string {
  if (svg.split('<circle').length - 1 <= 80) return svg;
  return svg.replace(/(<circle [^>]*)><title>.*?<\/title><\/circle>/g, '$1/>').replace(/ r="4"/g, ' r="2.5"');
}

/** Takes the points off the lines that have none; the library's figures put them on every line. */
function withoutMarks(svg: string, colours: ReadonlySet<string>): string {
  return svg.replace(/<circle [^>]*r="2\.5" fill="(#\w+)".*?<\/circle>/g, (mark, colour: string) =>
    colours.has(colour) ? '' : mark,
  );
}

/** At most about eight of the words, so that they do not run into each other. */
function spaced(words: readonly string[]): string[] {
  const step = Math.ceil(words.length / 8);
  const length = Math.max(8, Math.floor(88 / Math.min(8, words.length)));
  return words.map((word, i) =>
    i % step > 0 ? '' : word.length > length ? `${word.slice(0, length - 1)}…` : word,
  );
}

/** The picture, or undefined where the figure has traces this cannot draw truthfully. */
export async function plotlySvg(figure: {
  data: readonly object[];
  layout?: unknown;
}): Promise<string | undefined> {
  const { data, layout } = figure;
  const traces = data as readonly Trace[];
  const title = titleText(layout);
  if (traces.length === 1 && traces[0].type === 'heatmap') return heatmapSvg(traces[0], title);
  const [xAxis, yAxis] = [peek(layout, 'xaxis'), peek(layout, 'yaxis')];
  const log = peek(yAxis, 'type') === 'log';
  const xs = new Positions();
  const stacked = traces.length > 1 && !['group', undefined].includes(peek(layout, 'barmode') as string);
  const series = seriesOf(traces, { xs, log, stacked });
  if (!series || !isDrawable(series)) return undefined;
  const { categories } = xs;
  const positive = series.every((s) => s.x.every((v) => v > 0));
  const picture: Figure = {
    id: 'plotly',
    title,
    caption: '',
    x: {
      label: titleText(xAxis),
      log: !categories && positive && peek(xAxis, 'type') === 'log',
      ...(categories ? { categories: spaced(categories) } : {}),
    },
    y: { label: titleText(yAxis), log },
    series,
  };
  const [{ toSvg }, { colourOf }] = await Promise.all([
    import('../../lib/report/svg.js'),
    import('../../lib/report/figure.js'),
  ]);
  const marked = new Set(traces.flatMap((t, i) => (text(t.mode).includes('markers') ? nameOf(t, i) : [])));
  const bare = series.filter((s) => s.kind === 'line' && !marked.has(s.name)).map(colourOf(picture));
  // The bands here are bars, which may be stronger than bands around a line.
  const drawn = toSvg(picture).replaceAll('fill-opacity="0.18"', 'fill-opacity="0.55"');
  return slim(withoutMarks(drawn, new Set(bare))) + remark(traces, series);
}

/** Said below a picture that holds fewer points than its figure. */
function remark(traces: readonly Trace[], series: readonly Series[]): string {
  const drawable = traces.filter((trace) => trace.type !== 'histogram');
  const total = drawable.reduce((sum, trace) => sum + (list(trace.y) ?? list(trace.x) ?? []).length, 0);
  const shown = series.reduce((sum, s) => sum + s.x.length, 0);
  if (total <= shown || total <= POINTS) return '';
  return `<div style="color:${PALE};font-size:11px">static picture of ${shown} of ${total} points</div>`;
}
