/** Small static pictures of numbers as SVG: heat map, line, histogram. A few kilobytes each, whatever the size. */
import { escapeHtml, LINE, PALE, WARN } from './html.js';
import { shortNumber } from './numbers.js';
import { histogramOf, type Statistics } from './statistics.js';

type Values = ArrayLike<number | bigint>;

/** Anchors of a sequential scale (dark to bright, even in lightness) and of one that parts at zero. */
const SEQUENTIAL = [0x440154, 0x3b528b, 0x21918c, 0x5ec962, 0xfde725];
const DIVERGING = [0x2166ac, 0x92c5de, 0xf2f2f2, 0xf4a582, 0xb2182b];
const NAN_COLOUR = '#ff00ff';
const INFINITE_COLOUR = '#ff8c00';
const LEVELS = 32;
const CELLS = 40;

function mix(anchors: readonly number[], at: number): string {
  const place = Math.min(1, Math.max(0, at)) * (anchors.length - 1);
  const i = Math.min(anchors.length - 2, Math.floor(place));
  const part = place - i;
  const channel = (shift: number): number =>
    Math.round(((anchors[i] >> shift) & 255) * (1 - part) + ((anchors[i + 1] >> shift) & 255) * part);
  return `#${[16, 8, 0].map((shift) => channel(shift).toString(16).padStart(2, '0')).join('')}`;
}

/** A number beside a picture: rounded, since the statistics tell it exactly. */
function label(value: number): string {
  return Number.isInteger(value) ? shortNumber(value) : String(Number(value.toPrecision(3)));
}

const n = (value: number): string => String(Math.round(value * 10) / 10);

/** Where a page may not draw, only the title and the words of the picture are left: so they must make sense alone. */
function svg(width: number, height: number, title: string, inner: string): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${n(width)}" height="${n(height)}" viewBox="0 0 ${n(width)} ${n(height)}" ` +
    `role="img" aria-label="${escapeHtml(title)}" font-size="10" fill="${PALE}">` +
    `<title>${escapeHtml(title)}</title>${inner}</svg>`
  );
}

/** The mean of a block of the matrix; NaN and infinities of a block win over its numbers, so that none is hidden. */
function block(
  values: Values,
  columns: number,
  rows: readonly [number, number],
  span: readonly [number, number],
): number {
  let sum = 0;
  let special: number | undefined;
  let taken = 0;
  for (let r = rows[0]; r < rows[1]; r++)
    for (let c = span[0]; c < span[1]; c++) {
      const v = Number(values[r * columns + c]);
      if (Number.isNaN(v)) return NaN;
      if (Number.isFinite(v)) sum += (v - sum) / ++taken;
      else special = v;
    }
  return special ?? sum;
}

function edges(length: number, cells: number): number[] {
  return Array.from({ length: cells + 1 }, (_, i) => Math.floor((i * length) / cells));
}

/** Runs of equal level in a row are one stroke, all strokes of a level one path. */
function strokes(cells: readonly (readonly number[])[], levelOf: (value: number) => string): string {
  const paths = new Map<string, string>();
  cells.forEach((row, y) => {
    for (let x = 0; x < row.length;) {
      const colour = levelOf(row[x]);
      let end = x + 1;
      while (end < row.length && levelOf(row[end]) === colour) end++;
      paths.set(colour, `${paths.get(colour) ?? ''}M${x} ${y + 0.5}h${end - x}`);
      x = end;
    }
  });
  return [...paths].map(([colour, d]) => `<path stroke="${colour}" d="${d}"/>`).join('');
}

/** A matrix (row-major, `rows` by `columns`) as coloured cells, blocks of it averaged where it is large. */
export function heatMap(values: Values, rows: number, columns: number): string {
  const high = Math.min(rows, CELLS);
  const wide = Math.min(columns, CELLS);
  const [rowEdges, columnEdges] = [edges(rows, high), edges(columns, wide)];
  const cells = Array.from({ length: high }, (_, r) =>
    Array.from({ length: wide }, (_, c) =>
      block(values, columns, [rowEdges[r], rowEdges[r + 1]], [columnEdges[c], columnEdges[c + 1]]),
    ),
  );
  const finite = cells.flat().filter(Number.isFinite);
  const low = Math.min(...finite);
  const top = Math.max(...finite);
  const parts = low < 0 && top > 0;
  const reach = Math.max(-low, top);
  const [from, to] = parts ? [-reach, reach] : [low, top];
  const anchors = parts ? DIVERGING : SEQUENTIAL;
  const colourAt = (level: number): string => mix(anchors, level / (LEVELS - 1));
  const levelOf = (value: number): string => {
    if (Number.isNaN(value)) return NAN_COLOUR;
    if (!Number.isFinite(value)) return INFINITE_COLOUR;
    const place = to > from ? (value / 2 - from / 2) / (to / 2 - from / 2) : 0.5;
    return colourAt(Math.round(place * (LEVELS - 1)));
  };
  const size = Math.max(2, Math.min(12, 132 / Math.max(high, wide)));
  const [width, height] = [wide * size, high * size];
  const drawn = `<g transform="scale(${Math.round(size * 100) / 100})" shape-rendering="crispEdges">${strokes(cells, levelOf)}</g>`;
  const averaged = rows > high || columns > wide;
  const title = `heat map of ${rows} by ${columns}${averaged ? ', averaged over blocks' : ''}`;
  if (finite.length === 0) return svg(width, height, title, drawn);
  const bar = Array.from(
    { length: 16 },
    (_, i) =>
      `<path stroke="${mix(anchors, 1 - i / 15)}" stroke-width="8" d="M${n(width + 12)} ${n((i * Math.max(48, height)) / 16)}v${n(Math.max(48, height) / 16 + 0.5)}"/>`,
  ).join('');
  const special = (colour: string, word: string, y: number): string =>
    drawn.includes(colour) ? `<text x="${n(width + 20)}" y="${y}" fill="${colour}"> ${word}</text>` : '';
  const ends =
    special(NAN_COLOUR, 'NaN', 21) +
    special(INFINITE_COLOUR, '±∞', 33) +
    `<text x="${n(width + 20)}" y="8"> ${label(to)}</text>` +
    `<text x="${n(width + 20)}" y="${n(Math.max(48, height))}"> ${label(from)}</text>`;
  return svg(width + 66, Math.max(48, height), title, drawn + bar + ends);
}

/** A sequence as a line; where it has more points than columns, the band between their least and greatest. */
export function sparkline(values: Values, statistics: Statistics): string {
  const [width, height] = [240, 56];
  const min = Number(statistics.min);
  const max = Number(statistics.max);
  const y = (v: number): number =>
    max > min ? height - 4 - ((v / 2 - min / 2) / (max / 2 - min / 2)) * (height - 8) : height / 2;
  const columns = Math.min(values.length, 200);
  const cuts = edges(values.length, columns);
  let line = '';
  let bad = '';
  let pen = 'M';
  for (let c = 0; c < columns; c++) {
    let [low, high, broken] = [Infinity, -Infinity, false];
    for (let i = cuts[c]; i < cuts[c + 1]; i++) {
      const v = Number(values[i]);
      if (!Number.isFinite(v)) broken = true;
      else [low, high] = [Math.min(low, v), Math.max(high, v)];
    }
    const x = n(4 + (c * (width - 8)) / Math.max(1, columns - 1));
    if (broken) bad += `M${x} 0V${height}`;
    if (low > high) pen = 'M';
    else {
      line += low === high ? `${pen}${x} ${n(y(low))}` : `${pen}${x} ${n(y(high))}L${x} ${n(y(low))}`;
      pen = 'L';
    }
  }
  const zero =
    min < 0 && max > 0 ? `<path d="M0 ${n(y(0))}H${width}" stroke="${LINE}" stroke-dasharray="3 3"/>` : '';
  const inner =
    zero +
    (bad ? `<path d="${bad}" stroke="${WARN}" stroke-opacity=".45"/>` : '') +
    `<path d="${line}" fill="none" stroke="#0072b2" stroke-width="1.3" stroke-linejoin="round" stroke-linecap="round"/>`;
  return svg(width, height, `line of ${values.length} values`, inner);
}

/** How the finite values are spread, with the range below. */
export function histogram(values: Values, statistics: Statistics): string {
  const [width, height, bins] = [150, 56, 30];
  const min = Number(statistics.min);
  const max = Number(statistics.max);
  if (!(max > min) || !Number.isFinite(min) || !Number.isFinite(max)) return '';
  const counts = histogramOf(values, min, max, bins);
  const most = Math.max(...counts);
  const bars = counts
    .map((held, i) => {
      if (held === 0) return '';
      // A bin with anything in it is at least one pixel high: outliers must be seen.
      const tall = Math.max(1, (held / most) * height);
      return `M${n((i * width) / bins)} ${n(height - tall)}h${n(width / bins - 0.6)}V${height}h-${n(width / bins - 0.6)}z`;
    })
    .join('');
  const inner =
    `<path d="${bars}" fill="#0072b2" fill-opacity=".75"/><path d="M0 ${height}H${width}" stroke="${LINE}"/>` +
    `<text x="0" y="${height + 11}"> ${label(min)}</text>` +
    `<text x="${width}" y="${height + 11}" text-anchor="end"> ${label(max)}</text>`;
  return svg(width, height + 14, `histogram of ${statistics.finite} values`, inner);
}
