/** `assay cite CLAIM`: how to cite a judged claim so that others can check it. */
import { ArgumentError } from '../../lib/core/errors.js';
import { criterionHash, judge, listPapers, type Claim, type Paper } from '../../lib/papers/index.js';
import { estimateText } from '../../lib/report/index.js';
import { codeState } from '../ledger/provenance.js';
import { allRuns } from '../reproduce/runs.js';
import { UsageError, parseVerbArgs, type Verb } from './verb.js';

export const verb: Verb = {
  name: 'cite',
  summary: 'print how to cite a judged claim, with the hashes that let others check it',
  usage: `Usage: assay cite CLAIM [--json]

CLAIM is an id such as mamba/operations-per-token. The citation names the claim, its place in the paper, the
verdict, the criterion's hash, the runs that count and the commit.

  --json   print {"claim", "text", "word", "criterion", "runs", "commit", "dirty"}`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      allowPositionals: true,
      options: { json: { type: 'boolean' } },
    });
    if (positionals.length !== 1) throw new UsageError('name one claim');
    const { paper, claim } = findClaim(positionals[0]);
    const judgement = judge(claim, await allRuns(context.root, paper.id));
    const { code, dirty } = await codeState(context.root);
    const criterion = claim.criterion ? criterionHash(claim) : null;
    const estimate = estimateText(judgement);
    const lines = [
      `"${claim.words}"`,
      `Claim ${claim.id}: ${paper.authors} (${paper.year}), ${paper.title}, arXiv ${claim.arxiv}, ${claim.place}.`,
      `Verdict: ${judgement.word} (${judgement.outcome}, scope ${judgement.scope}, evidence ${judgement.evidence}${estimate ? `, estimate ${estimate}` : ''}). ${judgement.why}`,
      `Criterion ${criterion ?? 'none'}; runs ${judgement.counted.join(', ') || 'none'}; Assay commit ${code.commit}${dirty ? ' with uncommitted changes' : ''}.`,
    ];
    if (values.json)
      context.json({
        claim: claim.id,
        text: lines.join('\n'),
        word: judgement.word,
        criterion,
        runs: judgement.counted,
        commit: code.commit,
        dirty,
      });
    else for (const line of lines) context.out(line);
    return 0;
  },
};

function findClaim(id: string): { paper: Paper; claim: Claim } {
  for (const paper of listPapers()) {
    const claim = paper.claims.find((entry) => entry.id === id);
    if (claim) return { paper, claim };
  }
  const ids = listPapers().flatMap((paper) => paper.claims.map((claim) => claim.id));
  throw new ArgumentError(`cite: claim must be one of ${ids.join(', ')}, got "${id}"`);
}
