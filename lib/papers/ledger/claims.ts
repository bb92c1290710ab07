/** Checks of a claim's own record, run by a test over all claims. */
import type { Analysis, Claim, Region } from './types.js';
import { canonicalJson, criterionHash } from './canonical.js';

/** Problems of a claim's record, as sentences; none when it is sound. */
export function checkClaim(claim: Claim): string[] {
  const problems: string[] = [];
  const say = (text: string): void => void problems.push(`${claim.id}: ${text}`);
  if (!claim.id.startsWith(`${claim.paper}/`)) say(`id must begin with "${claim.paper}/"`);
  if (!/^\d{4}\.\d{4,5}v\d+$/.test(claim.arxiv))
    say(`arxiv must be a number with version, got ${claim.arxiv}`);
  for (const field of ['place', 'words'] as const)
    if (claim[field].trim() === '') say(`${field} must not be empty`);
  if ((claim.criterion === undefined) === (claim.notTestable === undefined)) {
    say('exactly one of criterion and notTestable must be given');
  }
  if (claim.kind === 'identity' && claim.headline) say('an identity must not be a headline');
  if (!claim.criterion) return problems;
  checkRegister(claim, say);
  const { seeds, sizes, analysis, controls } = claim.criterion;
  if (sizes.length === 0) say('sizes must not be empty');
  const shared = seeds.tuning.filter((seed) => seeds.reporting.includes(seed));
  if (shared.length > 0) say(`tuning and reporting seeds must be disjoint, both hold ${shared.join(', ')}`);
  if (new Set(seeds.reporting).size !== seeds.reporting.length) say('reporting seeds must be distinct');
  for (const part of [analysis, ...controls.map((control) => control.analysis)]) {
    checkAnalysis(part, seeds.reporting.length, say);
  }
  return problems;
}

function checkRegister(claim: Claim, say: (text: string) => void): void {
  const { registered } = claim;
  const last = registered[registered.length - 1];
  if (!last) {
    say(`register the criterion: hash ${criterionHash(claim)}`);
    return;
  }
  if (last.hash !== criterionHash(claim)) {
    say(`the criterion changed: append an entry with hash ${criterionHash(claim)} and a note`);
  }
  registered.forEach((entry, i) => {
    const time = Date.parse(entry.date);
    if (Number.isNaN(time)) say(`registered[${i}].date must be an ISO date, got ${entry.date}`);
    if (i > 0 && time < Date.parse(registered[i - 1].date))
      say(`registered[${i}] is dated before the entry above`);
    if (entry.note.trim() === '') say(`registered[${i}].note must say why`);
  });
}

function checkAnalysis(analysis: Analysis, seeds: number, say: (text: string) => void): void {
  if (analysis.kind === 'all') {
    if (analysis.of.length === 0) say('an analysis of kind all needs parts');
    for (const part of analysis.of) checkAnalysis(part, seeds, say);
    return;
  }
  if (analysis.kind === 'predicate') return;
  if (seeds === 0 && analysis.kind !== 'interval')
    say(`an analysis of kind ${analysis.kind} needs reporting seeds`);
  const { confidence } = analysis;
  if (!(confidence > 0.5 && confidence < 1)) say(`confidence must lie between 0.5 and 1, got ${confidence}`);
  if (analysis.kind === 'ordering') {
    if (analysis.arms.length < 2) say('an ordering needs two arms');
    return;
  }
  if (analysis.refute.length === 0) say('refute must name at least one region: a claim must be able to fail');
  for (const region of [analysis.support, ...analysis.refute]) {
    if (!(low(region) < high(region)) || canonicalJson(region) === '{}') {
      say(`a region must be non-empty and bounded on one side, got ${canonicalJson(region)}`);
    }
  }
  for (const region of analysis.refute) {
    if (low(region) < high(analysis.support) && low(analysis.support) < high(region)) {
      say(`refute ${canonicalJson(region)} overlaps support ${canonicalJson(analysis.support)}`);
    }
  }
}

const low = (region: Region): number => region.above ?? -Infinity;
const high = (region: Region): number => region.below ?? Infinity;
