/** `assay report`: a static page from the runs on disk. */
import { resolve, join } from 'node:path';
import { judge, listPapers, paperOf } from '../../lib/papers/index.js';
import { reportPage, type PaperSection } from '../../lib/report/index.js';
import { writeAtomic } from '../../lib/tasks/files.js';
import { plotlySource } from '../reproduce/reproduce.js';
import { allRuns, recordedRuns } from '../reproduce/runs.js';
import { parseVerbArgs, type Verb } from './verb.js';

export const verb: Verb = {
  name: 'report',
  summary: 'make a page of verdicts and figures from the runs on disk',
  usage: `Usage: assay report [PAPER...] [--recorded] [--out FILE] [--json]

Writes one self-contained HTML file: every claim with its verdict and why, movable figures, baselines, machines.

  --recorded   use only the runs in notebooks/results/, not those in runs/
  --out FILE   default: runs/report.html
  --json       print {"page", "papers"}`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      allowPositionals: true,
      options: { out: { type: 'string' }, recorded: { type: 'boolean' }, json: { type: 'boolean' } },
    });
    const chosen = positionals.length > 0 ? positionals.map((name) => paperOf(name)) : listPapers();
    const sections: PaperSection[] = [];
    for (const paper of chosen) {
      const runs = await (values.recorded ? recordedRuns : allRuns)(context.root, paper.id);
      const judged = paper.claims.map((claim) => ({ claim, judgement: judge(claim, runs) }));
      // Runs that count first, then the newest.
      const counted = new Set(judged.flatMap(({ judgement }) => judgement.counted));
      const rank = (id: string): number => (counted.has(id) ? 0 : 1);
      const shown = [...runs].sort((a, b) => rank(a.id) - rank(b.id) || b.started.localeCompare(a.started));
      sections.push({ paper, judged, runs: shown });
    }
    const page = resolve(values.out ?? join(context.root, 'runs', 'report.html'));
    const plotly = await plotlySource(context.root);
    const title = chosen.length === 1 ? chosen[0].title : 'Claims of papers, and what runs say';
    await writeAtomic(page, reportPage(sections, { title, ...(plotly === undefined ? {} : { plotly }) }));
    if (values.json) context.json({ page, papers: chosen.map((paper) => paper.id) });
    else context.out(page);
    return 0;
  },
};
