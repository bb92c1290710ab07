/** `assay judge`: judges claims again from the runs on disk; nothing is measured. */
import { listPapers, paperOf } from '../../lib/papers/index.js';
import { verdictText } from '../../lib/report/index.js';
import { judgePaper, paperEntry } from './papers.js';
import { parseVerbArgs, type Verb } from './verb.js';

export const verb: Verb = {
  name: 'judge',
  summary: 'judge claims again from the runs on disk',
  usage: `Usage: assay judge [PAPER...] [--json]

Computes every judgement anew from the run files in notebooks/results/ and runs/: same files, same words. Runs
with uncommitted code, of another criterion or of a size that does not judge a claim are left out; the reason
is in "excluded" of --json.

  --json   print [{id, ..., judgements: [...]}], with counted and excluded runs and controls`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      allowPositionals: true,
      options: { json: { type: 'boolean' } },
    });
    const chosen = positionals.length > 0 ? positionals.map((name) => paperOf(name)) : listPapers();
    const documents = [];
    for (const paper of chosen) {
      const judged = await judgePaper(context.root, paper);
      documents.push({ ...paperEntry(paper, judged), judgements: judged.map(({ judgement }) => judgement) });
      if (values.json) continue;
      context.out(`${paper.title} (arXiv ${paper.arxiv})`);
      for (const line of verdictText(judged)) context.out(line);
    }
    if (values.json) context.json(documents);
    return 0;
  },
};
