/** What a sweep's rows add up to: exponents in T, ratios, and both as text and as Markdown. */
import { logLogSlope } from '../../lib/core/slopes.js';
import { figure, series, sizes, type BenchRow } from './rows.js';

/** Growth exponent of one series over the top 8x of its lengths. */
export interface SlopeRow {
  op: string;
  series: string;
  direction: string;
  /** Without T. */
  dims: Record<string, number>;
  from: number;
  to: number;
  exponent: number;
  low: number;
  high: number;
}

/** Speed of one of ours relative to another program (equal threads) or to itself on one thread. */
export interface RatioRow {
  op: string;
  series: string;
  against: string;
  direction: string;
  dims: Record<string, number>;
  /** Above 1: ours is faster. */
  ratio: number;
}

/** Everything a report is made of; what `--json` prints. */
export interface BenchDocument {
  date: string;
  device: string;
  adapter?: string;
  commit: string;
  command: string;
  results: BenchRow[];
  slopes: SlopeRow[];
  ratios: RatioRow[];
  /** Versions of other programs, series that ended, things left out. */
  notes: string[];
  red: string[];
}

const SPAN = 8;
const FEWEST_LENGTHS = 3;

function withoutTime(dims: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(dims).filter(([name]) => name !== 'T' && name !== 'G'));
}

function grouped<T>(values: readonly T[], key: (value: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const value of values) groups.set(key(value), [...(groups.get(key(value)) ?? []), value]);
  return [...groups.values()];
}

const seriesKey = (row: BenchRow): string =>
  [row.op, series(row), row.direction, sizes(withoutTime(row.dims))].join('|');

/** Exponents of all series of at least three lengths. */
export function slopesOf(rows: readonly BenchRow[]): SlopeRow[] {
  const made: SlopeRow[] = [];
  for (const group of grouped(
    rows.filter((row) => row.dims['T'] > 1),
    seriesKey,
  )) {
    const longest = Math.max(...group.map((row) => row.dims['T']));
    const top = group.filter((row) => row.dims['T'] >= longest / SPAN && row.medianMs > 0);
    if (top.length < FEWEST_LENGTHS) continue;
    const lengths = top.map((row) => row.dims['T']);
    const { estimate, low, high } = logLogSlope(
      lengths,
      top.map((row) => row.medianMs),
    );
    const { op, direction, dims } = top[0];
    made.push({
      ...{ op, series: series(top[0]), direction, dims: withoutTime(dims) },
      ...{ from: Math.min(...lengths), to: longest, exponent: estimate, low, high },
    });
  }
  return made;
}

/** Ratios at equal sizes and directions. */
export function ratiosOf(rows: readonly BenchRow[]): RatioRow[] {
  const own = rows.filter((row) => row.op !== 'copy' && !row.opponent);
  return own.flatMap((row) =>
    rows
      .filter((other) => isBaseline(other, row))
      .map((other) => ({
        ...{
          op: row.op,
          series: series(row),
          against: series(other),
          direction: row.direction,
          dims: row.dims,
        },
        ratio: other.medianMs / row.medianMs,
      })),
  );
}

function isBaseline(other: BenchRow, row: BenchRow): boolean {
  if (other.op !== row.op || other.direction !== row.direction || sizes(other.dims) !== sizes(row.dims))
    return false;
  if (other.opponent) return other.threads === row.threads && row.backend !== 'webgpu';
  return other.backend === row.backend && other.form === row.form && other.threads === 1 && row.threads > 1;
}

/** Directions that tables show, and their names. */
const DIRECTIONS: Record<string, string> = {
  forward: 'forward',
  backward: 'backward alone (forward and backward minus forward)',
  step: 'one step',
};

/** One series at the longest length it has in common with others, in one direction. */
interface Standing {
  series: string;
  direction: string;
  dims: Record<string, number>;
  against: Map<string, number>;
}

/** Ratios of forward and backward passes, a series a row. Each stands at the longest length of all its opponents. */
function standings(ratios: readonly RatioRow[]): Standing[] {
  const shown = ratios.filter((r) => r.direction in DIRECTIONS);
  return grouped(shown, (r) => [r.op, sizes(withoutTime(r.dims)), r.direction, r.series].join('|')).map(
    (group) => {
      const names = new Set(group.map((r) => r.against));
      const common = group
        .map((r) => r.dims['T'])
        .filter((T) => {
          const present = group.filter((r) => r.dims['T'] === T);
          return present.length === names.size;
        });
      const T = Math.max(...(common.length > 0 ? common : group.map((r) => r.dims['T'])));
      const own = group.filter((r) => r.dims['T'] === T);
      const [{ series, direction, dims }] = own;
      return { series, direction, dims, against: new Map(own.map((r) => [r.against, r.ratio])) };
    },
  );
}

const spread = (s: SlopeRow): string =>
  `${s.exponent.toFixed(2)} [${s.low.toFixed(2)}, ${s.high.toFixed(2)}]`;

/** The tables below the rows of a run. */
export function textTables({ slopes, ratios, notes }: BenchDocument): string[] {
  const lines: string[] = [];
  if (slopes.length > 0) lines.push('', `Growth with T over the top ${SPAN}x (exponent, 95 % interval):`);
  for (const s of slopes)
    lines.push(
      `  ${s.op} ${s.series} ${s.direction}`.padEnd(60) + ` ${sizes(s.dims).padEnd(14)} ${spread(s)}`,
    );
  if (ratios.length > 0)
    lines.push('', 'Speed relative to others at the longest common T (above 1: the first is faster):');
  for (const { series, direction, dims, against } of standings(ratios)) {
    const others = [...against].map(([name, ratio]) => `${name} ${figure(ratio)}x`).join(', ');
    lines.push(`  ${sizes(dims).padEnd(22)} ${`${series} ${direction}`.padEnd(30)} ${others}`);
  }
  if (notes.length > 0) lines.push('', ...notes);
  return lines;
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  `| ${head.join(' | ')} |`,
  `|${head.map((_, i) => (i === 0 ? ' --- ' : ' --: ')).join('|')}|`,
  ...rows.map((cells) => `| ${cells.join(' | ')} |`),
];

/** Milliseconds of all series over lengths, for one shape and direction. */
function timesTable(rows: readonly BenchRow[]): string[] {
  const names = [...new Set(rows.map(series))];
  const lengths = [...new Set(rows.map((row) => row.dims['T']))].sort((a, b) => a - b);
  const cell = (T: number, name: string): string => {
    const row = rows.find((r) => r.dims['T'] === T && series(r) === name);
    if (!row) return '';
    const share = row.copyShare === undefined ? '' : ` (${figure(100 * row.copyShare, 2)} %)`;
    return `${figure(row.medianMs)}${share}`;
  };
  return table(
    ['T', ...names],
    lengths.map((T) => [String(T), ...names.map((name) => cell(T, name))]),
  );
}

function stepTable(rows: readonly BenchRow[]): string[] {
  const names = [...new Set(rows.map(series))];
  return table(
    ['sizes', ...names],
    grouped(rows, (row) => sizes(withoutTime(row.dims))).map((group) => [
      sizes(withoutTime(group[0].dims)),
      ...names.map((name) => {
        const row = group.find((r) => series(r) === name);
        return row ? figure(row.medianMs) : '';
      }),
    ]),
  );
}

/** A report in Markdown: times in milliseconds, share of the copy bandwidth, exponents, ratios. */
export function markdown(document: BenchDocument): string {
  const { date, device, adapter, commit, command, results, slopes, ratios, notes } = document;
  const lines = [
    `${date}, ${device}${adapter ? `, GPU adapter ${adapter}` : ''}, commit ${commit}: \`${command}\`. Medians in milliseconds; in brackets the share of the bandwidth of a copy on the same backend and threads in the same run.`,
    '',
    'Copies:',
    '',
    ...table(
      ['backend', 'GB/s'],
      results
        .filter((row) => row.op === 'copy')
        .map((row) => [`${series(row)}`, figure(row.bytes / row.medianMs / 1e6)]),
    ),
  ];
  const swept = results.filter((row) => row.op !== 'copy');
  const shown = swept.filter((row) => DIRECTIONS[row.direction] && row.direction !== 'step');
  for (const group of grouped(shown, (row) => `${row.op} ${sizes(withoutTime(row.dims))} ${row.direction}`)) {
    const [{ op, dims, direction }] = group;
    lines.push('', `${op}, ${sizes(withoutTime(dims))}, ${DIRECTIONS[direction]}:`, '', ...timesTable(group));
  }
  const steps = swept.filter((row) => row.direction === 'step');
  if (steps.length > 0) lines.push('', 'One step of generation:', '', ...stepTable(steps));
  const exponents = slopes.filter((s) => DIRECTIONS[s.direction]);
  if (exponents.length > 0)
    lines.push(
      ...['', `Exponents of the time in T over the top ${SPAN}x of the lengths, with 95 % intervals:`, ''],
      ...table(
        ['series', 'sizes', 'direction', 'T', 'exponent'],
        exponents.map((s) => [s.series, sizes(s.dims), s.direction, `${s.from} to ${s.to}`, spread(s)]),
      ),
    );
  const rows = standings(ratios);
  const others = [...new Set(rows.flatMap(({ against }) => [...against.keys()]))];
  if (rows.length > 0)
    lines.push(
      ...['', 'Speed relative to others at the longest common T (above 1: the series is faster):', ''],
      ...table(
        ['series', 'direction', 'sizes', ...others],
        rows.map(({ series, direction, dims, against }) => [
          ...[series, direction, sizes(dims)],
          ...others.map((name) => (against.has(name) ? `${figure(against.get(name)!)}x` : '')),
        ]),
      ),
    );
  if (notes.length > 0) lines.push('', ...notes.map((note) => `- ${note}`));
  return lines.join('\n');
}

const OPENING = '<!-- assay bench -->';
const CLOSING = '<!-- /assay bench -->';

/** A page with its generated section replaced. @throws Error when the page has no such section */
export function withSection(page: string, section: string): string {
  const [start, end] = [page.indexOf(OPENING), page.indexOf(CLOSING)];
  if (start < 0 || end < start)
    throw new Error(`bench: the page must hold a section between ${OPENING} and ${CLOSING}, got none`);
  return `${page.slice(0, start + OPENING.length)}\n\n${section}\n\n${page.slice(end)}`;
}
