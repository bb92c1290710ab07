/** Tables of judgements and of figures beside them, as plain text and as rows for a page. */
import { figure as number } from '../papers/ledger/analysis.js';
import { totals } from '../papers/ledger/words.js';
import { WORDS, type DeviceCard, type Judgement } from '../papers/ledger/types.js';
import type { Baseline } from '../papers/paper.js';
import type { Judged } from '../papers/run-experiment.js';

/** One claim in a table. */
export interface VerdictRow {
  claim: string;
  headline: boolean;
  kind: string;
  outcome: string;
  scope: string;
  evidence: string;
  word: string;
  /** "estimate [low, high]", or empty. */
  estimate: string;
  why: string;
}

/** "0.031 [0.012, 0.050]" */
export function estimateText({ estimate, interval }: Pick<Judgement, 'estimate' | 'interval'>): string {
  if (estimate === undefined || !Number.isFinite(estimate)) return '';
  const range = interval ? ` [${number(interval.low)}, ${number(interval.high)}]` : '';
  return number(estimate) + range;
}

export function verdictRows(judged: readonly Judged[]): VerdictRow[] {
  return judged.map(({ claim, judgement }) => ({
    claim: claim.id,
    headline: claim.headline,
    kind: claim.kind,
    outcome: judgement.outcome,
    scope: judgement.scope,
    evidence: judgement.evidence,
    word: judgement.word,
    estimate: estimateText(judgement),
    why: judgement.why,
  }));
}

/** Columns padded to their widest cell, two spaces apart; the last column is not padded. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd(widths[i]))).join('  ');
  return [
    line(head),
    line(widths.map((width, i) => '-'.repeat(i === widths.length - 1 ? head[i].length : width))),
    ...rows.map(line),
  ].map((text) => text.trimEnd());
}

/** Words of a text in lines of at most `width` characters, each after `indent`. */
export function wrap(text: string, width: number, indent = ''): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && indent.length + line.length + 1 + word.length > width) {
      lines.push(indent + line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, indent + line];
}

/** The judged table for a terminal: a line per claim, the reason below it. Headlines carry a star. */
export function verdictText(judged: readonly Judged[], width = 110): string[] {
  const rows = verdictRows(judged);
  const head = ['claim', 'outcome', 'scope', 'evidence', 'word', 'estimate [interval]'];
  const table = textTable(
    head,
    rows.map((row) => [
      row.claim + (row.headline ? ' *' : ''),
      row.outcome,
      row.scope,
      row.evidence,
      row.word,
      row.estimate,
    ]),
  );
  const lines = table.slice(0, 2);
  rows.forEach((row, i) => lines.push(table[i + 2], ...wrap(row.why, width, '    ')));
  return [...lines, '', '* headline claim of the paper', ...totalsText(judged)];
}

/** "headline claims: 1 reproduced, 4 not attempted" and one line per kind. */
export function totalsText(judged: readonly Judged[]): string[] {
  const { kinds, headline } = totals(judged);
  const line = (name: string, counts: Record<string, number>): string[] => {
    const parts = WORDS.filter((word) => counts[word] > 0).map((word) => `${counts[word]} ${word}`);
    return parts.length > 0 ? [`${name}: ${parts.join(', ')}`] : [];
  };
  return [
    ...line('headline claims', headline),
    ...Object.entries(kinds).flatMap(([kind, counts]) => line(`  ${kind}`, counts)),
  ];
}

/** What simpler programs reach, and the gap of each arm to the floor where it is known. */
export function baselineText(baselines: readonly Baseline[]): string[] {
  return textTable(
    ['beside it', 'value', 'unit', 'note'],
    baselines.map(({ name, value, unit, note }) => [
      name,
      Number.isFinite(value) ? value.toFixed(4) : '(none)',
      unit,
      note,
    ]),
  );
}

/** "Linux x64, 2 cores of Some CPU, 8 GiB, Node 22.1.0" */
export function deviceText(device: DeviceCard): string {
  const memory = device.memoryGiB > 0 ? `, ${device.memoryGiB} GiB` : '';
  const adapter = device.adapter ? `, adapter ${device.adapter}` : '';
  return `${device.platform} ${device.arch}, ${device.cores} cores of ${device.cpu}${memory}, ${device.runtime}${adapter}`;
}
