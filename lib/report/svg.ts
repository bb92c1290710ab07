/** A figure as a self-contained SVG: axes, ticks, grid, bands, lines, points, legend. Text and axes take the page's colour. */
import { checkFigure, colourOf, inLegend, type Axis, type Figure, type Series } from './figure.js';

const MARGIN = { left: 64, right: 14, top: 34, bottom: 46 };
const LEGEND_ROW = 16;

/** Text safe inside XML and HTML. */
export function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** A position on an axis and its text. */
export interface Tick {
  value: number;
  text: string;
}

/** 1, 2 or 5 times a power of ten: about `count` ticks from low to high. */
export function linearTicks(low: number, high: number, count = 5): Tick[] {
  const raw = (high - low) / count;
  // Below that, f64 has too few numbers in the range to count steps by.
  const least = 1e-12 * Math.max(Math.abs(low), Math.abs(high));
  if (!(raw > least)) return [{ value: low, text: short(low) }];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) as number;
  const ticks: Tick[] = [];
  // Counting in whole steps keeps 0.1 + 0.2 from showing.
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++)
    ticks.push({ value: i * step, text: short(i * step) });
  return ticks;
}

/** Powers of ten inside the range, and 2 and 5 times them where there are few. */
export function logTicks(low: number, high: number): Tick[] {
  const make = (multiples: readonly number[]): Tick[] => {
    const ticks: Tick[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++)
      for (const m of multiples) {
        const value = m * 10 ** power;
        if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9))
          ticks.push({ value, text: short(value) });
      }
    return ticks;
  };
  const tens = make([1]);
  return tens.length >= 3 ? tens : make([1, 2, 5]);
}

/** A number in few characters: 0.002, 4.1k, 16M. */
export function short(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size < 1e-3) return value.toExponential(0).replace('e-', 'e−');
  if (size >= 1e13) return value.toExponential(0).replace('e+', 'e');
  for (const [factor, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e4, 'k'],
  ] as const)
    if (size >= factor) {
      const scale = unit === 'k' ? 1e3 : factor;
      return `${Number((value / scale).toPrecision(3))}${unit}`;
    }
  return String(Number(value.toPrecision(4)));
}

interface Scale {
  (value: number): number;
  ticks: Tick[];
}

function makeScale(axis: Axis, values: readonly number[], from: number, to: number): Scale {
  const finite = values.filter((value) => Number.isFinite(value) && (!axis.log || value > 0));
  let low = Math.min(...finite);
  let high = Math.max(...finite);
  if (axis.categories) [low, high] = [-0.5, axis.categories.length - 0.5];
  else if (axis.log) [low, high] = low === high ? [low / 2, high * 2] : [low / 1.15, high * 1.15];
  else if (low === high) [low, high] = [low - 1, high + 1];
  else [low, high] = [low - 0.05 * (high - low), high + 0.05 * (high - low)];
  const place = (value: number): number =>
    axis.log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const ticks = axis.categories
    ? axis.categories.map((text, value) => ({ value, text }))
    : axis.log
      ? logTicks(low, high)
      : linearTicks(low, high);
  return Object.assign((value: number) => from + place(value) * (to - from), { ticks });
}

const n = (value: number): string => String(Math.round(value * 100) / 100);

function path(series: Series, x: Scale, y: Scale): string {
  return series.x.map((at, i) => `${i === 0 ? 'M' : 'L'}${n(x(at))} ${n(y(series.y[i]))}`).join('');
}

function drawSeries(series: Series, colour: string, x: Scale, y: Scale, right: number): string {
  if (series.kind === 'level') {
    const at = n(y(series.y[0]));
    return `<path d="M${MARGIN.left} ${at}H${right}" stroke="${colour}" stroke-dasharray="6 4" fill="none"/>`;
  }
  const parts: string[] = [];
  if (series.low && series.high) {
    const there = series.x.map((at, i) => `${n(x(at))} ${n(y(series.high![i]))}`);
    const back = series.x.map((at, i) => `${n(x(at))} ${n(y(series.low![i]))}`).reverse();
    parts.push(`<path d="M${[...there, ...back].join('L')}Z" fill="${colour}" fill-opacity="0.18"/>`);
  }
  if (series.kind === 'line')
    parts.push(
      `<path d="${path(series, x, y)}" fill="none" stroke="${colour}" stroke-width="${series.faint ? 0.8 : 2}"${series.faint ? ' stroke-opacity="0.5"' : ''}/>`,
    );
  if (!series.faint) {
    const radius = series.kind === 'points' ? 4 : 2.5;
    for (const [i, at] of series.x.entries())
      parts.push(
        `<circle cx="${n(x(at))}" cy="${n(y(series.y[i]))}" r="${radius}" fill="${colour}"><title>${escapeText(`${series.name}: ${short(at)}, ${short(series.y[i])}`)}</title></circle>`,
      );
  }
  return parts.join('');
}

function drawAxes(figure: Figure, x: Scale, y: Scale, right: number, bottom: number): string {
  const parts: string[] = [];
  for (const tick of x.ticks) {
    const at = n(x(tick.value));
    parts.push(`<path d="M${at} ${MARGIN.top}V${bottom}" class="grid"/>`);
    parts.push(`<text x="${at}" y="${bottom + 16}" text-anchor="middle">${escapeText(tick.text)}</text>`);
  }
  for (const tick of y.ticks) {
    const at = y(tick.value);
    parts.push(`<path d="M${MARGIN.left} ${n(at)}H${right}" class="grid"/>`);
    parts.push(
      `<text x="${MARGIN.left - 6}" y="${n(at + 4)}" text-anchor="end">${escapeText(tick.text)}</text>`,
    );
  }
  parts.push(
    `<path d="M${MARGIN.left} ${MARGIN.top}V${bottom}H${right}" fill="none" stroke="currentColor"/>`,
  );
  const middle = n((MARGIN.left + right) / 2);
  parts.push(
    `<text x="${middle}" y="${bottom + 34}" text-anchor="middle">${escapeText(figure.x.label)}</text>`,
  );
  const height = n((MARGIN.top + bottom) / 2);
  parts.push(
    `<text transform="translate(13 ${height}) rotate(-90)" text-anchor="middle">${escapeText(figure.y.label)}</text>`,
  );
  return parts.join('');
}

/** Names side by side, as many rows as needed. */
function legendRows(figure: Figure, width: number): { series: Series; x: number; row: number }[] {
  let x = MARGIN.left;
  let row = 0;
  return figure.series
    .filter((series) => inLegend(figure, series))
    .map((series) => {
      const wide = 34 + (series.group ?? series.name).length * 6.6;
      if (x > MARGIN.left && x + wide > width) [x, row] = [MARGIN.left, row + 1];
      const place = { series, x, row };
      x += wide;
      return place;
    });
}

/**
 * The figure as SVG text.
 *
 * @throws ArgumentError when lengths differ, a logarithmic axis meets numbers that are not positive, or nothing is drawn
 */
export function toSvg(figure: Figure, size: { width?: number; height?: number } = {}): string {
  checkFigure(figure);
  const { width = 640, height = 360 } = size;
  const colour = colourOf(figure);
  const legend = legendRows(figure, width);
  const rows = (legend.at(-1)?.row ?? -1) + 1;
  const right = width - MARGIN.right;
  const bottom = height - MARGIN.bottom - rows * LEGEND_ROW;
  const drawn = figure.series.filter((series) => series.kind !== 'level');
  const x = makeScale(
    figure.x,
    drawn.flatMap((series) => [...series.x]),
    MARGIN.left,
    right,
  );
  const y = makeScale(
    figure.y,
    figure.series.flatMap((s) => [...s.y, ...(s.low ?? []), ...(s.high ?? [])]),
    bottom,
    MARGIN.top,
  );
  const names = legend.map(({ series, x: at, row }) => {
    const line = height - rows * LEGEND_ROW + row * LEGEND_ROW + 6;
    return `<path d="M${n(at)} ${line}h18" stroke="${colour(series)}" stroke-width="3"${series.kind === 'level' ? ' stroke-dasharray="5 3"' : ''}/><text x="${n(at + 23)}" y="${line + 4}">${escapeText(series.group ?? series.name)}</text>`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeText(figure.title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">` +
    `<title>${escapeText(figure.title)}</title><style>.grid{stroke:currentColor;stroke-opacity:.15}</style>` +
    `<text x="${MARGIN.left}" y="18" font-size="14" font-weight="600">${escapeText(figure.title)}</text>` +
    drawAxes(figure, x, y, right, bottom) +
    figure.series.map((series) => drawSeries(series, colour(series), x, y, right)).join('') +
    names.join('') +
    '</svg>'
  );
}
