/** `assay verify RUN.json`: is a run file what it says it is, and what does it say today? */
import {
  criterionHash,
  judge,
  judgeProvisionally,
  listPapers,
  readRunFile,
  type Claim,
  type Run,
} from '../../lib/papers/index.js';
import { verdictText } from '../../lib/report/index.js';
import { codeState } from '../ledger/provenance.js';
import { UsageError, parseVerbArgs, type Verb } from './verb.js';

/** One check of a run file. */
export interface Check {
  check: string;
  ok: boolean;
  detail: string;
}

export const verb: Verb = {
  name: 'verify',
  summary: 'check a run file: its id, its criteria, and what it says when judged again',
  usage: `Usage: assay verify RUN.json [--json]

Checks that the id is the hash of the content, that every criterion measured is the registered one and was
registered before the run, and that the code had no uncommitted changes; then judges the run again. Exit code 1
when a check fails.

  --json   print {"run", "checks": [{check, ok, detail}], "judgements": [...]}`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      allowPositionals: true,
      options: { json: { type: 'boolean' } },
    });
    if (positionals.length !== 1) throw new UsageError('name one run file');
    const run = await readRunFile(positionals[0]);
    const paper = listPapers().find(({ id }) => id === run.paper);
    const state = await codeState(context.root);
    const checks = [
      { check: 'id', ok: true, detail: `${run.id} is the hash of the content` },
      ...(paper
        ? claimChecks(run, paper.claims)
        : [{ check: 'paper', ok: false, detail: `${run.paper} is not a paper of this project` }]),
      {
        check: 'committed',
        ok: !run.dirty,
        detail: run.dirty
          ? 'the code had uncommitted changes: the run does not count'
          : `commit ${run.code.commit}`,
      },
    ];
    const same =
      state.code.hash === run.code.hash
        ? 'the code here is the code of the run'
        : 'the code here differs from the code of the run';
    const measured = (paper?.claims ?? []).filter((claim) => run.criteria[claim.id] !== undefined);
    const decide = run.dirty ? judgeProvisionally : judge;
    const judged = measured.map((claim) => ({ claim, judgement: decide(claim, [run]) }));
    if (values.json)
      context.json({ run: run.id, checks, note: same, judgements: judged.map(({ judgement }) => judgement) });
    else {
      for (const { check, ok, detail } of checks)
        context.out(`${ok ? 'ok    ' : 'FAILED'}  ${check}: ${detail}`);
      context.out(`note    ${same}`);
      if (judged.length > 0) for (const line of ['', ...verdictText(judged)]) context.out(line);
    }
    return checks.every(({ ok }) => ok) ? 0 : 1;
  },
};

function claimChecks(run: Run, claims: readonly Claim[]): Check[] {
  return Object.entries(run.criteria).map(([id, hash]): Check => {
    const claim = claims.find((entry) => entry.id === id);
    if (!claim?.criterion) return { check: id, ok: false, detail: 'no claim of that name has a criterion' };
    if (criterionHash(claim) !== hash)
      return {
        check: id,
        ok: false,
        detail: `measured for criterion ${hash}, the claim now has ${criterionHash(claim)}`,
      };
    const entry = claim.registered.find((registration) => registration.hash === hash);
    if (!entry) return { check: id, ok: false, detail: `criterion ${hash} is not registered` };
    if (Date.parse(entry.date) > Date.parse(run.started))
      return {
        check: id,
        ok: false,
        detail: `criterion was registered on ${entry.date}, after the run of ${run.started}`,
      };
    return { check: id, ok: true, detail: `criterion ${hash.slice(0, 12)} registered on ${entry.date}` };
  });
}
