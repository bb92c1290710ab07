/** Claims of a paper written down with what they do not share only. */
import type {
  Analysis,
  Claim,
  ClaimPicture,
  Control,
  Criterion,
  Region,
  Registration,
} from './ledger/types.js';

/** A claim without what its paper gives. `id` is the name after the slug. */
export type ClaimEntry = Omit<Claim, 'id' | 'paper' | 'arxiv' | 'registered' | 'deviations' | 'headline'> &
  Partial<Pick<Claim, 'deviations' | 'headline'>> & { name: string };

/** The claims of a paper. */
export function claimsOf(
  paper: string,
  arxiv: string,
  register: { readonly [claim: string]: readonly Registration[] },
  entries: readonly ClaimEntry[],
): readonly Claim[] {
  return entries.map(({ name, ...entry }) => {
    const id = `${paper}/${name}`;
    const drawn = entry.criterion ? { pictures: [pictureOf(entry.criterion)] } : {};
    const registered = register[id] ?? [];
    return { id, paper, arxiv, headline: false, deviations: [], registered, ...drawn, ...entry };
  });
}

/** The arms that decide, with the thresholds where there is one arm; arms of checks on the fit itself are left out. */
function pictureOf({ analysis, controls }: Criterion): ClaimPicture {
  const armsOf = (part: Analysis): string[] => {
    if (part.kind === 'all') return part.of.flatMap(armsOf);
    if (part.kind === 'ordering') return [...part.arms];
    return part.kind === 'interval' ? [part.arm, `${part.arm}-low`, `${part.arm}-high`] : [part.arm];
  };
  const arms = [analysis, ...controls.map((control) => control.analysis)].flatMap(armsOf);
  const regions = analysis.kind === 'interval' ? [analysis.support, ...analysis.refute] : [];
  const bounds = regions.flatMap(({ above, below }) => [above, below]);
  const edges = [...new Set(bounds)].filter((value) => value !== undefined);
  return {
    arms: [...new Set(arms)].filter((arm) => arm !== 'objective'),
    levels: edges.map((value) => ({ name: `threshold ${value}`, value })),
  };
}

/** Sizes of an analysis that does the same work at all of them. */
export const ANY_SIZE = ['smoke', 'lesson', 'full'] as const;
/** Of an analysis of published data: nothing is drawn that a seed of a criterion could decide. */
export const NO_SEEDS = { tuning: [], reporting: [] } as const;

/** An interval (or an exact value) that the run computed, against two thresholds. */
export const found = (
  arm: string,
  support: Region,
  refute: readonly Region[],
  confidence = 0.95,
  shape = true,
): Analysis => ({ kind: 'interval', arm, shape, support, refute, confidence });

export const between = (arm: string, low: number, high: number): Analysis => ({
  kind: 'predicate',
  arm,
  predicate: { is: 'between', low, high },
});

export const equal = (arm: string, value: number, tolerance: number): Analysis => ({
  kind: 'predicate',
  arm,
  predicate: { is: 'equal', value, tolerance },
});

export const positive = (name: string, analysis: Analysis): Control => ({ name, role: 'positive', analysis });
export const negative = (name: string, analysis: Analysis): Control => ({ name, role: 'negative', analysis });
