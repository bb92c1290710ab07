/** A figure as data: series over one pair of axes. Drawn as Plotly JSON (movable) or as SVG (static). */
import { ArgumentError, show } from '../core/errors.js';

export interface Series {
  name: string;
  /** line: points joined; points: markers only; level: a horizontal line at y[0]. */
  kind: 'line' | 'points' | 'level';
  x: readonly number[];
  y: readonly number[];
  /** Band around a line, the same length as y. */
  low?: readonly number[];
  high?: readonly number[];
  /** Series of the same group share a colour; only the first is in the legend. */
  group?: string;
  /** Drawn thin and pale, e.g. single seeds behind their mean. */
  faint?: boolean;
}

export interface Axis {
  label: string;
  log?: boolean;
  /** Names of the positions 0, 1, ... of a category axis. */
  categories?: readonly string[];
}

export interface Figure {
  id: string;
  title: string;
  /** What one should see, in a sentence. */
  caption: string;
  x: Axis;
  y: Axis;
  series: readonly Series[];
}

/** Colours that stay apart for colour-blind readers on white and on dark ground (Okabe and Ito, without black). */
export const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8c8c00'];

/** Colour of each series: one for each group. */
export function colourOf(figure: Figure): (series: Series) => string {
  const groups = [...new Set(figure.series.map((series) => series.group ?? series.name))];
  return (series) => COLOURS[groups.indexOf(series.group ?? series.name) % COLOURS.length];
}

/** Is this the series of its group that the legend names? */
export function inLegend(figure: Figure, series: Series): boolean {
  return (
    figure.series.find((other) => (other.group ?? other.name) === (series.group ?? series.name)) === series
  );
}

/** @throws ArgumentError when lengths differ or a log axis meets numbers that are not positive */
export function checkFigure(figure: Figure): void {
  for (const series of figure.series) {
    const lengths = [series.x, series.y, series.low ?? series.y, series.high ?? series.y].map(
      (values) => values.length,
    );
    const expected = series.kind === 'level' ? series.y.length : series.x.length;
    if (lengths.slice(1).some((length) => length !== expected))
      throw new ArgumentError(`checkFigure: ${series.name} must have equal lengths, got ${show(lengths)}`);
    const bad = figure.y.log ? series.y.find((value) => !(value > 0)) : undefined;
    if (bad !== undefined)
      throw new ArgumentError(
        `checkFigure: ${series.name} must be positive on a logarithmic axis, got ${bad}`,
      );
  }
}

/** Plotly's own description of a figure, as plain data. */
export interface PlotlyFigure {
  data: Record<string, unknown>[];
  layout: Record<string, unknown>;
  config: Record<string, unknown>;
}

/** A colour with an opacity. */
function pale(colour: string, opacity: number): string {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return `rgba(${r},${g},${b},${opacity})`;
}

function plotlyTraces(figure: Figure, series: Series): Record<string, unknown>[] {
  const colour = colourOf(figure)(series);
  const group = series.group ?? series.name;
  const shared = { type: 'scatter', legendgroup: group, name: group, showlegend: inLegend(figure, series) };
  if (series.kind === 'level') {
    const xs = figure.series.filter((other) => other.kind !== 'level').flatMap((other) => [...other.x]);
    const x = figure.x.categories
      ? [-0.5, figure.x.categories.length - 0.5]
      : [Math.min(...xs), Math.max(...xs)];
    return [
      {
        ...shared,
        mode: 'lines',
        x,
        y: [series.y[0], series.y[0]],
        line: { color: colour, dash: 'dash', width: 1.5 },
      },
    ];
  }
  const traces: Record<string, unknown>[] = [];
  if (series.low && series.high)
    traces.push({
      ...shared,
      showlegend: false,
      mode: 'lines',
      hoverinfo: 'skip',
      x: [...series.x, ...[...series.x].reverse()],
      y: [...series.high, ...[...series.low].reverse()],
      fill: 'toself',
      fillcolor: pale(colour, 0.18),
      line: { width: 0 },
    });
  const width = series.faint ? 0.8 : 2;
  traces.push({
    ...shared,
    mode: series.kind === 'points' ? 'markers' : series.faint ? 'lines' : 'lines+markers',
    x: [...series.x],
    y: [...series.y],
    line: { color: series.faint ? pale(colour, 0.5) : colour, width },
    marker: { color: colour, size: series.kind === 'points' ? 8 : 5 },
    hovertemplate: `${series.name}<br>%{x}: %{y:.4g}<extra></extra>`,
  });
  return traces;
}

/** Words of a label in lines of about `width` characters. */
export function inLines(label: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of label.split(' ')) {
    const last = lines[lines.length - 1];
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Powers of ten beyond which an axis names these alone: more would not fit. */
const MOST_DECADES = 5;

function decades(values: readonly number[]): number {
  let [low, high] = [Infinity, 0];
  for (const value of values) if (value > 0) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return high > low ? Math.log10(high / low) : 0;
}

function plotlyAxis(axis: Axis, values: readonly number[]): Record<string, unknown> {
  const { categories } = axis;
  const few = decades(values) <= MOST_DECADES;
  return {
    title: { text: inLines(axis.label, 34).join('<br>') },
    type: axis.log ? 'log' : 'linear',
    exponentformat: 'SI',
    ...(axis.log ? (few ? { dtick: 'D2', minorloglabels: 'complete' } : { dtick: 1 }) : {}),
    ...(categories
      ? {
          tickvals: categories.map((_, i) => i),
          ticktext: [...categories],
          range: [-0.5, categories.length - 0.5],
        }
      : {}),
    zeroline: false,
    gridcolor: 'rgba(128,128,128,0.25)',
    automargin: true,
  };
}

/** Plotly JSON of a figure: can be zoomed, moved, and series switched off in the legend. Fits light and dark pages. */
export function toPlotly(figure: Figure): PlotlyFigure {
  checkFigure(figure);
  return {
    data: figure.series.flatMap((series) => plotlyTraces(figure, series)),
    layout: {
      title: { text: figure.title, x: 0, xanchor: 'left', y: 0.985, yanchor: 'top', font: { size: 15 } },
      xaxis: plotlyAxis(
        figure.x,
        figure.series.flatMap(({ x }) => [...x]),
      ),
      yaxis: plotlyAxis(
        figure.y,
        figure.series.flatMap(({ y }) => [...y]),
      ),
      margin: { l: 60, r: 16, t: 44, b: 48 },
      legend: { orientation: 'h', y: -0.25 },
      paper_bgcolor: 'rgba(0,0,0,0)',
      plot_bgcolor: 'rgba(0,0,0,0)',
      font: { color: '#888888' },
      modebar: { bgcolor: 'rgba(0,0,0,0)', color: '#888888', activecolor: '#0072b2' },
      hovermode: 'closest',
    },
    config: { responsive: true, displaylogo: false },
  };
}
