/** `assay papers`: the papers, their claims, and what is known about each. */
import { judge, listPapers, type Judged, type Paper } from '../../lib/papers/index.js';
import { estimateText, textTable, totalsText } from '../../lib/report/index.js';
import { allRuns } from '../reproduce/runs.js';
import { parseVerbArgs, type Verb } from './verb.js';

/** A paper in the shape that scripts may rely on. */
export function paperEntry(paper: Paper, judged: readonly Judged[]): Record<string, unknown> {
  const { id, title, year, arxiv, family } = paper;
  return {
    id,
    title,
    year,
    arxiv,
    family,
    claims: judged.map(({ claim, judgement }) => ({
      id: claim.id,
      kind: claim.kind,
      headline: claim.headline,
      outcome: judgement.outcome,
      scope: judgement.scope,
      evidence: judgement.evidence,
      word: judgement.word,
      why: judgement.why,
      ...(judgement.estimate === undefined ? {} : { estimate: judgement.estimate }),
      ...(judgement.interval === undefined ? {} : { interval: judgement.interval }),
    })),
  };
}

/** Every claim of a paper judged by all runs of this checkout. */
export async function judgePaper(root: string, paper: Paper): Promise<Judged[]> {
  const runs = await allRuns(root, paper.id);
  return paper.claims.map((claim) => ({ claim, judgement: judge(claim, runs) }));
}

export const verb: Verb = {
  name: 'papers',
  summary: 'the papers, their claims, and what the runs say about each',
  usage: `Usage: assay papers [--json]

Lists every paper with its claims, judged by the recorded runs (notebooks/results) and those in runs/.

  --json   print [{id, title, year, arxiv, family, claims: [{id, kind, headline, outcome, scope, evidence, word,
           why, estimate?, interval?}]}]`,
  async run(args, context) {
    const { values } = parseVerbArgs({ args, options: { json: { type: 'boolean' } } });
    const entries = [];
    for (const paper of listPapers()) {
      const judged = await judgePaper(context.root, paper);
      entries.push(paperEntry(paper, judged));
      if (values.json) continue;
      context.out(
        `${paper.id}: ${paper.title} (${paper.year}, arXiv ${paper.arxiv}; family ${paper.family})`,
      );
      const rows = judged.map(({ claim, judgement }) => [
        claim.id + (claim.headline ? ' *' : ''),
        claim.kind,
        judgement.word,
        estimateText(judgement),
      ]);
      for (const line of textTable(['claim', 'kind', 'word', 'estimate [interval]'], rows))
        context.out(`  ${line}`);
      for (const line of totalsText(judged).slice(0, 1)) context.out(`  ${line}`);
    }
    if (values.json) context.json(entries);
    return 0;
  },
};
