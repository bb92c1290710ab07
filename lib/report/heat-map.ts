/** A matrix as a self-contained SVG: one cell a number, strength as opacity, so that it fits light and dark pages. */
import { ArgumentError, show } from '../core/errors.js';
import { COLOURS } from './figure.js';
import { escapeText, linearTicks, short } from './svg.js';

export interface HeatMap {
  title: string;
  /** Names of what is counted along an axis, with the unit. */
  x: string;
  y: string;
  /** What a cell holds, beside the colour bar. */
  unit: string;
  /** Rows from top to bottom; NaN is drawn as nothing. */
  values: readonly ArrayLike<number>[];
  /** Magnitude of full strength; the largest of the matrix when absent. Negative numbers have a colour of their own. */
  most?: number;
  /** Strength by the logarithm of the magnitude over so many powers of ten; linear when absent. */
  decades?: number;
  /** Kind of a cell, 0 or higher: kinds have colours of their own, and all numbers must be positive. */
  kind?: (row: number, column: number) => number;
  /** Names of the kinds, for the legend. */
  kinds?: readonly string[];
  /** A line before every row and column whose number is a multiple of this. */
  every?: number;
}

const MARGIN = { left: 58, right: 120, top: 34, bottom: 46 };
const LEVELS = 24;
/** Colours of kinds, or of positive and negative numbers. */
const HUES = [COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[3]];

/** Strength of a number, 0 to 1. */
function strengthOf(map: HeatMap, most: number): (value: number) => number {
  const { decades } = map;
  return (value) => {
    const size = Math.min(1, Math.abs(value) / most);
    if (decades === undefined) return size;
    return size > 0 ? Math.max(0, 1 + Math.log10(size) / decades) : 0;
  };
}

function check(map: HeatMap): { rows: number; columns: number } {
  const rows = map.values.length;
  const columns = rows === 0 ? 0 : map.values[0].length;
  if (columns === 0 || map.values.some((row) => row.length !== columns))
    throw new ArgumentError(
      `heatMapSvg: values must have rows of one length, at least 1, got ${show(map.values.map((row) => row.length))}`,
    );
  for (const name of ['most', 'decades', 'every'] as const)
    if (map[name] !== undefined && !(map[name] > 0 && map[name] < Infinity))
      throw new ArgumentError(`heatMapSvg: ${name} must be a positive number, got ${show(map[name])}`);
  return { rows, columns };
}

/** Cells of equal colour and strength in a row are one stroke, all strokes of a kind one path. */
function cells(map: HeatMap, strength: (value: number) => number): string {
  const paths = new Map<string, string>();
  const paintOf = (row: number, column: number): string => {
    const value = map.values[row][column];
    const level = Number.isFinite(value) ? Math.round(strength(value) * LEVELS) : 0;
    if (level === 0) return '';
    const hue = map.kind ? map.kind(row, column) : value < 0 ? 1 : 0;
    return `stroke="${HUES[hue % HUES.length]}" stroke-opacity="${short(level / LEVELS)}"`;
  };
  map.values.forEach((values, row) => {
    for (let at = 0; at < values.length;) {
      const paint = paintOf(row, at);
      let end = at + 1;
      while (end < values.length && paintOf(row, end) === paint) end++;
      if (paint) paths.set(paint, `${paths.get(paint) ?? ''}M${at} ${row + 0.5}h${end - at}`);
      at = end;
    }
  });
  return [...paths].map(([paint, d]) => `<path ${paint} d="${d}"/>`).join('');
}

/** Whole numbers along an axis, at the middles of their cells. */
function ticks(count: number): number[] {
  return [...new Set(linearTicks(0, count - 1).map(({ value }) => Math.min(count - 1, Math.round(value))))];
}

/** Bars of strength with their ends, one a kind or sign that there is. */
function legend(map: HeatMap, most: number, left: number, height: number): string {
  const flat = map.values.flatMap((row) => Array.from(row)).filter(Number.isFinite);
  const names = map.kind ? [...(map.kinds ?? [])] : flat.some((value) => value < 0) ? ['', ''] : [''];
  const tall = Math.min(120, height);
  const bar = (hue: number): string =>
    Array.from({ length: LEVELS }, (_, i) => {
      const opacity = short((LEVELS - i) / LEVELS);
      const [x, y, h] = [left + 18 * hue, MARGIN.top + (i * tall) / LEVELS, tall / LEVELS];
      return `<rect x="${x}" y="${short(y)}" width="14" height="${short(h)}" fill="${HUES[hue]}" fill-opacity="${opacity}"/>`;
    }).join('');
  const beside = left + 18 * names.length + 2;
  const low = map.decades === undefined ? 0 : most / 10 ** map.decades;
  const signs = !map.kind && names.length > 1 ? '±' : '';
  const words = names.flatMap((name, i) =>
    name
      ? [
          `<rect x="${left}" y="${MARGIN.top + tall + 38 + 18 * i}" width="10" height="10" fill="${HUES[i]}"/>` +
            `<text x="${left + 14}" y="${MARGIN.top + tall + 47 + 18 * i}">${escapeText(name)}</text>`,
        ]
      : [],
  );
  return (
    names.map((_, hue) => bar(hue)).join('') +
    `<text x="${beside}" y="${MARGIN.top + 10}">${signs}${short(most)}</text>` +
    `<text x="${beside}" y="${MARGIN.top + tall}">${short(low)}</text>` +
    `<text x="${left}" y="${MARGIN.top + tall + 20}">${escapeText(map.unit)}</text>` +
    words.join('')
  );
}

/**
 * The matrix as SVG text; text and axes take the page's colour.
 * @throws ArgumentError when rows differ in length or there are none
 */
export function heatMapSvg(map: HeatMap, size: { width?: number; height?: number } = {}): string {
  const { rows, columns } = check(map);
  const { width = 480, height = 400 } = size;
  const [wide, high] = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
  const sizes = map.values.flatMap((row) => Array.from(row, Math.abs)).filter(Number.isFinite);
  const most = map.most ?? (Math.max(0, ...sizes) || 1);
  const [right, bottom] = [MARGIN.left + wide, MARGIN.top + high];
  const x = (column: number): string => short(MARGIN.left + (column * wide) / columns);
  const y = (row: number): string => short(MARGIN.top + (row * high) / rows);
  const lines: string[] = [];
  if (map.every !== undefined) {
    for (let at = map.every; at < columns; at += map.every) lines.push(`M${x(at)} ${MARGIN.top}V${bottom}`);
    for (let at = map.every; at < rows; at += map.every) lines.push(`M${MARGIN.left} ${y(at)}H${right}`);
  }
  const numbers =
    ticks(columns)
      .map((at) => `<text x="${x(at + 0.5)}" y="${bottom + 15}" text-anchor="middle">${at}</text>`)
      .join('') +
    ticks(rows)
      .map(
        (at) =>
          `<text x="${MARGIN.left - 5}" y="${short(Number(y(at + 0.5)) + 4)}" text-anchor="end">${at}</text>`,
      )
      .join('');
  const scale = `translate(${MARGIN.left} ${MARGIN.top}) scale(${wide / columns} ${high / rows})`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeText(map.title)}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">` +
    `<title>${escapeText(map.title)}</title>` +
    `<text x="${MARGIN.left}" y="18" font-size="14" font-weight="600">${escapeText(map.title)}</text>` +
    `<g transform="${scale}" fill="none" stroke-width="1" shape-rendering="crispEdges">${cells(map, strengthOf(map, most))}</g>` +
    `<path d="${lines.join('')}" fill="none" stroke="currentColor" stroke-opacity="0.45"/>` +
    `<rect x="${MARGIN.left}" y="${MARGIN.top}" width="${wide}" height="${high}" fill="none" stroke="currentColor"/>` +
    numbers +
    `<text x="${short(MARGIN.left + wide / 2)}" y="${bottom + 34}" text-anchor="middle">${escapeText(map.x)}</text>` +
    `<text transform="translate(13 ${short(MARGIN.top + high / 2)}) rotate(-90)" text-anchor="middle">${escapeText(map.y)}</text>` +
    legend(map, most, right + 14, high) +
    '</svg>'
  );
}
