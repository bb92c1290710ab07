/** A static page about one paper: verdicts, figures, what was measured and where. One file, no network, light and dark, printable. */
import { criterionHash } from '../papers/ledger/canonical.js';
import type { Claim, Run } from '../papers/ledger/types.js';
import { baselinesOf, type Judged } from '../papers/run-experiment.js';
import type { Paper } from '../papers/paper.js';
import { toPlotly, type Figure } from './figure.js';
import { figuresOfRuns } from './figures.js';
import { escapeText, toSvg } from './svg.js';
import { deviceText, estimateText, totalsText } from './tables.js';

/** What goes on the page for one paper. */
export interface PaperSection {
  paper: Paper;
  judged: readonly Judged[];
  /** Runs to show, best first; the figures of a claim come from the first that measured it. */
  runs: readonly Run[];
}

export interface PageOptions {
  title: string;
  /** The text of plotly.js (basic bundle), embedded once; without it figures do not move. */
  plotly?: string;
}

const STYLE = `
:root{color-scheme:light dark;--ground:#fff;--text:#1c1f23;--soft:#5c636b;--line:#d9dde1;--card:#f6f7f8}
@media (prefers-color-scheme:dark){:root{--ground:#15181b;--text:#e4e7ea;--soft:#9aa2aa;--line:#363c42;--card:#1e2226}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1100px;padding:24px;background:var(--ground);color:var(--text);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 4px}h2{font-size:1.2rem;margin:32px 0 8px}h3{font-size:1rem;margin:0}
p{margin:6px 0}.soft{color:var(--soft)}.small{font-size:.86rem}code{font-size:.86em;overflow-wrap:anywhere}
.claim{border:1px solid var(--line);border-left:6px solid var(--word);border-radius:6px;padding:10px 14px;margin:10px 0;background:var(--card);break-inside:avoid}
.claim header{display:grid;gap:16px;grid-template-columns:1fr auto;align-items:baseline}
.word{font-weight:600;color:var(--word);white-space:nowrap}.facts{display:flex;flex-wrap:wrap;gap:2px 18px;color:var(--soft);font-size:.86rem;margin-top:4px}
.reproduced,.in-shape{--word:#1a7f37}.contradicted,.not-reproduced{--word:#c4432b}.inconclusive{--word:#9a6700}.not-attempted{--word:#8a9199}
@media (prefers-color-scheme:dark){.reproduced,.in-shape{--word:#4ac26b}.contradicted,.not-reproduced{--word:#ff7b62}.inconclusive{--word:#d8a02a}}
figure{margin:18px 0;break-inside:avoid}figcaption{color:var(--soft);font-size:.9rem}
.plot{min-height:380px}.plot svg,.static svg{max-width:100%;height:auto}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem;width:100%}th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
td.number{font-variant-numeric:tabular-nums;white-space:nowrap}details{margin:6px 0}summary{cursor:pointer}
@media (max-width:600px){.claim header{grid-template-columns:1fr;gap:2px}}
@media print{body{max-width:none;padding:0}.plot{display:none}.static{display:block!important}details{display:block}}
.static{display:none}.no-script .static{display:block}
`;

const cssWord = (word: string): string =>
  word === 'reproduced in shape' ? 'in-shape' : word.replace(/ /g, '-');

function claimHtml({ claim, judgement }: Judged): string {
  const estimate = estimateText(judgement);
  const facts = [
    claim.kind,
    `scope ${judgement.scope}`,
    `evidence ${judgement.evidence}`,
    `outcome ${judgement.outcome}`,
    ...(estimate ? [`estimate ${estimate}`] : []),
  ];
  const controls = judgement.controls.map(
    (c) =>
      `<li>${c.passed ? 'passed' : '<strong>failed</strong>'}: ${escapeText(c.name)} (${c.role}). <span class="soft">${escapeText(c.why)}</span></li>`,
  );
  return (
    `<article class="claim ${cssWord(judgement.word)}" id="${escapeText(claim.id)}"><header><h3>${escapeText(claim.words)}${claim.headline ? ' <span class="soft small">headline</span>' : ''}</h3><span class="word">${judgement.word}</span></header>` +
    `<p>${escapeText(judgement.why)}</p><div class="facts">${facts.map((fact) => `<span>${escapeText(fact)}</span>`).join('')}</div>` +
    `<details class="small"><summary>What the paper states, controls, deviations, criterion</summary>` +
    `<p><strong>${escapeText(claim.place)}, arXiv ${claim.arxiv}.</strong> ${escapeText(claim.stated.text)} <span class="soft">Conditions: ${escapeText(claim.stated.conditions)}.</span></p>` +
    (controls.length ? `<ul>${controls.join('')}</ul>` : '') +
    (claim.deviations.length ? `<p>Deviations: ${claim.deviations.map(escapeText).join(' ')}</p>` : '') +
    criterionHtml(claim) +
    '</details></article>'
  );
}

function criterionHtml(claim: Claim): string {
  if (!claim.criterion) return '';
  const first = claim.registered[0];
  return `<p>Criterion <code>${criterionHash(claim)}</code>${first ? `, registered ${escapeText(first.date)}` : ', not registered'}${claim.registered.length > 1 ? `, amended ${claim.registered.length - 1} times` : ''}.</p>`;
}

function figureHtml(figure: Figure, index: number, movable: boolean): string {
  const svg = toSvg(figure, { width: 760, height: 400 });
  const body = movable
    ? `<div class="plot" data-figure="${index}"></div><div class="static">${svg}</div>`
    : svg;
  return `<figure id="figure-${escapeText(figure.id)}">${body}<figcaption>${escapeText(figure.caption)}</figcaption></figure>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string): string =>
    `<td${/^[\d.−-]+( |$)/.test(text) ? ' class="number"' : ''}>${escapeText(text)}</td>`;
  return `<div class="scroll"><table><thead><tr>${head.map((name) => `<th>${escapeText(name)}</th>`).join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${row.map(cell).join('')}</tr>`)
    .join('')}</tbody></table></div>`;
}

function runHtml(run: Run): string {
  const data = run.data.map((item) => `${item.name} (sha256 ${item.sha256.slice(0, 12)}…)`).join(', ');
  const rows = [
    ['run', run.id],
    ['size, backend', `${run.size}, ${run.backend}`],
    ['started, took', `${run.started}, ${Math.round(run.wallSeconds)} s`],
    ['machine', deviceText(run.device)],
    ['code', `commit ${run.code.commit}${run.dirty ? ', with uncommitted changes: does not count' : ''}`],
    ['data', data || 'none: generated from seeds'],
    ...(run.fingerprint
      ? [
          [
            'fingerprint',
            run.fingerprint.length > 80
              ? `${run.fingerprint.slice(0, 64)} and ${run.fingerprint.split(' ').length - 1} more`
              : run.fingerprint,
          ],
        ]
      : []),
  ];
  return table(['', ''], rows).replace(/<thead>.*?<\/thead>/, '');
}

function sectionHtml({ paper, judged, runs }: PaperSection, drawn: Figure[], movable: boolean): string {
  const parts = [
    `<section id="${paper.id}"><h2>${escapeText(paper.title)}</h2><p class="soft">${escapeText(paper.authors)}, ${paper.year}, arXiv ${paper.arxiv}</p>`,
    `<p>${totalsText(judged).slice(0, 1).map(escapeText).join('')}</p>`,
    ...judged.map(claimHtml),
  ];
  if (runs.length > 0) {
    parts.push('<h2>Figures</h2>');
    const shown = figuresOfRuns(paper, runs);
    for (const figure of shown.flatMap((entry) => entry.figures)) {
      parts.push(figureHtml(figure, drawn.length, movable));
      drawn.push(figure);
    }
    const baselines = shown.flatMap((entry) => baselinesOf(entry.run));
    if (baselines.length > 0)
      parts.push(
        '<h2>Beside it</h2>',
        table(
          ['program', 'value', 'unit', 'note'],
          baselines.map((b) => [b.name, Number.isFinite(b.value) ? b.value.toFixed(4) : '', b.unit, b.note]),
        ),
      );
    parts.push(`<h2>${runs.length === 1 ? 'The run' : 'The runs'}</h2>`, ...runs.map(runHtml));
  } else parts.push('<p class="soft">No run is recorded yet.</p>');
  return `${parts.join('\n')}</section>`;
}

/** Text inside a script element: it must not close the element. */
const scriptSafe = (text: string): string =>
  text.replace(/<\/(script)/gi, '<\\/$1').replace(/<!--/g, '<\\!--');

/** The page as HTML text. */
export function reportPage(sections: readonly PaperSection[], options: PageOptions): string {
  const drawn: Figure[] = [];
  const movable = options.plotly !== undefined;
  const body = sections.map((section) => sectionHtml(section, drawn, movable)).join('\n');
  const scripts = movable
    ? `<script>${scriptSafe(options.plotly as string)}</script><script>const figures=${scriptSafe(JSON.stringify(drawn.map(toPlotly)))};document.documentElement.classList.remove('no-script');for(const place of document.querySelectorAll('.plot')){const f=figures[Number(place.dataset.figure)];const colour=getComputedStyle(document.body).color;f.layout.font={color:colour};Plotly.newPlot(place,f.data,f.layout,f.config)}</script>`
    : '';
  return `<!doctype html>
<html lang="en" class="no-script"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeText(options.title)}</title><style>${STYLE}</style></head>
<body><h1>${escapeText(options.title)}</h1><p class="soft small">Claims have verdicts, papers never do. Every verdict is computed from the runs below by a criterion that was fixed before them.</p>
${body}
${scripts}</body></html>
`;
}
