import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkClaim,
  criterionHash,
  judge,
  judgeProvisionally,
  totals,
} from '../../lib/papers/ledger/index.js';
import { publicWord } from '../../lib/papers/ledger/words.js';
import type { Analysis, Claim, Criterion, Measurement, Run } from '../../lib/papers/ledger/types.js';
import { criterion, losses, makeClaim, makeRun, REPORTING } from './ledger-fixtures.js';

const claim = makeClaim();

describe('judge', () => {
  it('supports when the whole interval lies inside the support region', () => {
    const judgement = judge(claim, [makeRun(claim, losses(0.001))]);
    expect(judgement).toMatchObject({
      outcome: 'supports',
      evidence: 'strong',
      word: 'reproduced in shape',
      scope: 'S2',
      provisional: false,
    });
    expect(judgement.why).toMatch(/^The 90 % interval of a - b, .* lies below 0\.02\.$/);
    expect(judgement.interval?.high).toBeLessThan(0.02);
    expect(judgement.counted).toHaveLength(1);
  });

  it('refutes when the whole interval lies beyond, and is inconclusive in between', () => {
    const beyond = judge(claim, [makeRun(claim, losses(0.05))]);
    expect(beyond).toMatchObject({ outcome: 'refutes', word: 'not reproduced' });
    const between = judge(claim, [makeRun(claim, losses(0.0205))]);
    expect(between).toMatchObject({ outcome: 'inconclusive', word: 'inconclusive', evidence: 'none' });
  });

  it('is not run without runs, and not testable with the reason given', () => {
    expect(judge(claim, [])).toMatchObject({
      outcome: 'not-run',
      word: 'not attempted',
      why: 'It has not been run.',
    });
    const closed = makeClaim({ criterion: undefined, notTestable: 'The weights are not public' });
    expect(judge(closed, [])).toMatchObject({
      outcome: 'not-testable',
      word: 'not attempted',
      why: 'The weights are not public.',
    });
  });

  it('never counts dirty, failed, cancelled, too small or outdated runs, and lists each with its reason', () => {
    const bad: [Partial<Run>, RegExp][] = [
      [{ dirty: true }, /uncommitted/],
      [{ status: 'failed', failure: 'diverged' }, /failed/],
      [{ status: 'cancelled' }, /cancelled/],
      [{ size: 'smoke' }, /Size smoke/],
      [{ criteria: { [claim.id]: 'f'.repeat(64) } }, /another version/],
      [{ measurements: {} }, /no measurement/],
    ];
    for (const [changes, reason] of bad) {
      const judgement = judge(claim, [makeRun(claim, losses(0.05), changes)]);
      expect(judgement.outcome).toBe('not-run');
      expect(judgement.excluded).toHaveLength(1);
      expect(judgement.excluded[0].reason).toMatch(reason);
      expect(judgement.why).toMatch(reason);
    }
    const other = makeRun(claim, losses(0), { criteria: { 'paper/else': 'f'.repeat(64) } });
    expect(judge(claim, [other]).excluded).toEqual([]);
  });

  it('previews runs with uncommitted code as provisional and anecdotal', () => {
    const dirty = makeRun(claim, losses(0), { dirty: true });
    expect(judgeProvisionally(claim, [dirty])).toMatchObject({
      outcome: 'supports',
      evidence: 'anecdotal',
      provisional: true,
    });
    expect(judgeProvisionally(claim, [dirty]).why).toMatch(/^Provisional/);
  });

  it('is inconclusive when a control does not pass or is missing', () => {
    const worse = losses(0).map((m) => (m.arm === 'unigram' ? { ...m, value: 1.5 } : m));
    const judgement = judge(claim, [makeRun(claim, worse)]);
    expect(judgement).toMatchObject({ outcome: 'inconclusive', word: 'inconclusive' });
    expect(judgement.why).toMatch(/positive control "both beat the unigram model" did not pass/);
    expect(judgement.controls[0].passed).toBe(false);
    const without = losses(0).filter((m) => m.arm !== 'unigram');
    expect(judge(claim, [makeRun(claim, without)]).outcome).toBe('inconclusive');
  });

  it('is inconclusive when reporting seeds are missing, and ignores tuning seeds', () => {
    const few = makeRun(claim, losses(0, [11, 12, 13]));
    expect(judge(claim, [few])).toMatchObject({ outcome: 'inconclusive' });
    expect(judge(claim, [few]).why).toMatch(/no value for seed 14/);
    const tuning = losses(5, [1, 2]);
    expect(judge(claim, [makeRun(claim, [...losses(0), ...tuning])]).outcome).toBe('supports');
  });

  it('pools runs of one seed each', () => {
    const runs = REPORTING.map((seed, i) =>
      makeRun(
        claim,
        losses(0).filter((m) => m.seed === seed),
        { wallSeconds: i },
      ),
    );
    expect(judge(claim, runs)).toMatchObject({ outcome: 'supports', evidence: 'strong' });
    expect(judge(claim, runs).counted).toHaveLength(5);
  });

  it('uses the largest complete size and lists the rest', () => {
    const lesson = makeRun(claim, losses(0));
    const full = makeRun(claim, losses(0.05), { size: 'full' });
    const partial = makeRun(claim, losses(0, [11]), { size: 'full' });
    expect(judge(claim, [lesson, full])).toMatchObject({ outcome: 'refutes', counted: [full.id] });
    expect(judge(claim, [lesson, partial])).toMatchObject({ outcome: 'supports', counted: [lesson.id] });
    expect(judge(claim, [lesson, partial]).excluded).toEqual([
      { run: partial.id, reason: 'A larger or more complete run is used.' },
    ]);
  });

  it('is inconclusive when runs on different data disagree', () => {
    const here = makeRun(claim, losses(0));
    const there = makeRun(claim, losses(0.05), { data: [{ name: 'other', sha256: '3'.repeat(64) }] });
    const judgement = judge(claim, [here, there]);
    expect(judgement.outcome).toBe('inconclusive');
    expect(judgement.why).toMatch(/2 groups of runs disagree/);
  });
});

describe('judge, for any runs', () => {
  const anyRun = fc
    .record({
      difference: fc.constantFrom(0, 0.0205, 0.05, NaN, Infinity),
      seeds: fc.subarray(REPORTING, { minLength: 1 }),
      size: fc.constantFrom('smoke' as const, 'lesson' as const, 'full' as const),
      status: fc.constantFrom('complete' as const, 'failed' as const, 'cancelled' as const),
      dirty: fc.boolean(),
      data: fc.constantFrom('1', '2'),
      wallSeconds: fc.nat(1000),
    })
    .map(({ difference, seeds, data, ...rest }) =>
      makeRun(claim, losses(difference, seeds), { ...rest, data: [{ name: 'd', sha256: data.repeat(64) }] }),
    );

  it('does not depend on the order of runs, on repeats, nor change its input', () => {
    fc.assert(
      fc.property(fc.array(anyRun, { maxLength: 6 }), fc.integer(), (runs, turn) => {
        const before = JSON.stringify(runs);
        const judgement = judge(claim, runs);
        const k = runs.length === 0 ? 0 : Math.abs(turn) % runs.length;
        const turned = [...runs.slice(k), ...runs.slice(0, k), ...runs.slice(0, 1)].reverse();
        expect(judge(claim, turned)).toEqual(judgement);
        expect(JSON.stringify(runs)).toBe(before);
      }),
    );
  });

  it('does not change its outcome when dirty, failed or cancelled runs are added', () => {
    fc.assert(
      fc.property(fc.array(anyRun, { maxLength: 4 }), fc.array(anyRun, { maxLength: 4 }), (runs, extra) => {
        const uncounted = extra.filter((run) => run.dirty || run.status !== 'complete');
        const { outcome, word, evidence } = judge(claim, runs);
        expect(judge(claim, [...runs, ...uncounted])).toMatchObject({ outcome, word, evidence });
      }),
    );
  });

  it('never supports with a value that is not finite', () => {
    const value = fc.constantFrom(NaN, Infinity, -Infinity);
    fc.assert(
      fc.property(fc.nat(14), value, (index, bad) => {
        const measurements = losses(0).map((m, i) => (i === index ? { ...m, value: bad } : m));
        expect(judge(claim, [makeRun(claim, measurements)]).outcome).toBe('inconclusive');
      }),
    );
  });
});

describe('evidence', () => {
  const evidence = (changes: Partial<Claim>, measurements = losses(0)): string => {
    const changed = makeClaim(changes);
    return judge(changed, [makeRun(changed, measurements)]).evidence;
  };
  const withSeeds = (reporting: number[]): Criterion => ({ ...criterion, seeds: { tuning: [], reporting } });

  it('is strong only with all of: registered first, controls, independent program, five seeds, clear margin', () => {
    expect(evidence({})).toBe('strong');
    expect(evidence({ independent: undefined })).toBe('fair');
    expect(evidence({ criterion: { ...criterion, controls: [] } })).toBe('fair');
    expect(evidence({ criterion: withSeeds([11, 12, 13, 14]) })).toBe('fair');
    expect(evidence({}, losses(0.0155))).toBe('fair');
  });

  it('is anecdotal when registered after the run, or with fewer than three seeds', () => {
    const late = [{ hash: criterionHash(claim), date: '2026-02-04', note: 'late' }];
    expect(evidence({ registered: late })).toBe('anecdotal');
    const wide = losses(-3, [11, 12], 1e-6);
    expect(evidence({ criterion: withSeeds([11, 12]) }, wide)).toBe('anecdotal');
  });
});

describe('analyses', () => {
  const outcomeOf = (analysis: Analysis, measurements: Measurement[], reporting = [1, 2, 3]): string => {
    const changed = makeClaim({
      criterion: { ...criterion, analysis, controls: [], seeds: { tuning: [], reporting } },
    });
    return judge(changed, [makeRun(changed, measurements)]).outcome;
  };
  const sweep = (power: number, arm = 'time'): Measurement[] =>
    [1, 2, 3].flatMap((seed) =>
      [64, 128, 256, 512, 1024].map((at) => ({
        arm,
        seed,
        at,
        value: (1 + 0.01 * seed) * at ** (power + 0.002 * seed),
      })),
    );

  it('slope: the interval of the exponents against two thresholds', () => {
    const slope: Analysis = {
      kind: 'slope',
      arm: 'time',
      span: 8,
      confidence: 0.95,
      support: { above: 0.8, below: 1.2 },
      refute: [{ above: 1.5 }, { below: 0.5 }],
    };
    expect(outcomeOf(slope, sweep(1))).toBe('supports');
    expect(outcomeOf(slope, sweep(2))).toBe('refutes');
    expect(outcomeOf(slope, sweep(0.2))).toBe('refutes');
    expect(outcomeOf(slope, sweep(1.3))).toBe('inconclusive');
    expect(outcomeOf(slope, sweep(1).slice(0, 2))).toBe('inconclusive');
    expect(
      outcomeOf(
        slope,
        sweep(1).map((m) => ({ ...m, value: -m.value })),
      ),
    ).toBe('inconclusive');
  });

  it('predicates: exact, over every value', () => {
    const values = (list: number[], arm = 'bytes'): Measurement[] =>
      list.map((value, i) => ({ arm, value, at: 2 ** i }));
    const test = (
      predicate: Extract<Analysis, { kind: 'predicate' }>['predicate'],
      m: Measurement[],
    ): string => outcomeOf({ kind: 'predicate', arm: 'bytes', predicate }, m, []);
    expect(test({ is: 'constant' }, values([5, 5, 5]))).toBe('supports');
    expect(test({ is: 'constant' }, values([5, 5, 6]))).toBe('refutes');
    expect(test({ is: 'constant' }, values([5]))).toBe('inconclusive');
    expect(test({ is: 'constant' }, values([5, NaN]))).toBe('inconclusive');
    expect(test({ is: 'increasing' }, values([1, 2, 3]))).toBe('supports');
    expect(test({ is: 'increasing' }, values([1, 3, 3]))).toBe('refutes');
    expect(test({ is: 'equal', value: 4 }, values([4, 4]))).toBe('supports');
    expect(test({ is: 'equal', value: 4, tolerance: 0.1 }, values([4.2]))).toBe('refutes');
    expect(test({ is: 'between', low: 1, high: 2 }, values([1, 2]))).toBe('supports');
    expect(test({ is: 'between', low: 1, high: 2 }, values([1, 2.1]))).toBe('refutes');
    const both = [...values([3, 7]), ...values([3, 7], 'formula')];
    expect(test({ is: 'equals-arm', arm: 'formula' }, both)).toBe('supports');
    expect(
      test({ is: 'equals-arm', arm: 'formula' }, [...values([3, 8]), ...values([3, 7], 'formula')]),
    ).toBe('refutes');
    expect(test({ is: 'equals-arm', arm: 'formula' }, values([3, 7]))).toBe('inconclusive');
    expect(test({ is: 'constant' }, values([1, 1], 'other'))).toBe('inconclusive');
  });

  it('ordering: every step must be clear', () => {
    const levels = (means: number[]): Measurement[] =>
      means.flatMap((mean, i) =>
        [1, 2, 3].map((seed) => ({ arm: 'abc'[i], seed, value: mean + 0.01 * seed * (i + 1) })),
      );
    const ordering: Analysis = { kind: 'ordering', arms: ['a', 'b', 'c'], confidence: 0.95 };
    expect(outcomeOf(ordering, levels([1, 2, 3]))).toBe('supports');
    expect(outcomeOf(ordering, levels([1, 3, 2]))).toBe('refutes');
    expect(outcomeOf(ordering, levels([1, 2, 1.99]))).toBe('inconclusive');
    // t = 5 with two degrees of freedom is clear for one step (4.3 is needed), not for each of two (6.2).
    const steps = [1, 2, 3].flatMap((seed) =>
      [0, 1, 2].map((i) => ({ arm: 'abc'[i], seed, value: i * (1 + 0.3464 * (seed - 2)) })),
    );
    expect(outcomeOf({ ...ordering, arms: ['a', 'b'] }, steps)).toBe('supports');
    expect(outcomeOf(ordering, steps)).toBe('inconclusive');
  });

  it('value, ratio, Welch and combined analyses', () => {
    const three = (arm: string, value: number): Measurement[] =>
      [1, 2, 3].map((seed) => ({ arm, seed, value: value * (1 + 0.01 * seed) }));
    const limits = {
      confidence: 0.95,
      support: { above: 4, below: 6 },
      refute: [{ above: 8 }, { below: 2 }],
    };
    const value: Analysis = { kind: 'value', arm: 'x', ...limits };
    expect(outcomeOf(value, three('x', 5))).toBe('supports');
    expect(outcomeOf(value, three('x', 9))).toBe('refutes');
    const ratio: Analysis = { kind: 'difference', arm: 'x', against: 'y', scale: 'ratio', ...limits };
    expect(outcomeOf(ratio, [...three('x', 50), ...three('y', 10)])).toBe('supports');
    expect(outcomeOf(ratio, [...three('x', 100), ...three('y', 10)])).toBe('refutes');
    expect(outcomeOf(ratio, [...three('x', -1), ...three('y', 10)])).toBe('inconclusive');
    const welch: Analysis = { kind: 'difference', arm: 'x', against: 'y', pairing: 'independent', ...limits };
    expect(outcomeOf(welch, [...three('x', 8), ...three('y', 3)])).toBe('supports');
    const all = (...of: Analysis[]): Analysis => ({ kind: 'all', of });
    expect(outcomeOf(all(value, value), three('x', 5))).toBe('supports');
    expect(outcomeOf(all(value, welch), three('x', 5))).toBe('inconclusive');
    expect(outcomeOf(all(value, welch), three('x', 9))).toBe('refutes');
  });
});

describe('the public word', () => {
  const word = (changes: Partial<Claim>, outcome: 'supports' | 'refutes', passed = true): string =>
    publicWord(makeClaim(changes), outcome, [{ name: 'c', role: 'positive', passed, why: '' }]);
  const absolute: Criterion = {
    ...criterion,
    analysis: { kind: 'value', arm: 'a', confidence: 0.9, support: { below: 1 }, refute: [{ above: 2 }] },
  };

  it('follows scope and outcome', () => {
    expect(word({ scope: 'S4' }, 'supports')).toBe('reproduced');
    expect(word({ scope: 'S0', formula: true }, 'supports')).toBe('reproduced');
    expect(word({ scope: 'S0' }, 'supports')).toBe('inconclusive');
    expect(word({ scope: 'S1' }, 'supports')).toBe('inconclusive');
    expect(word({ scope: 'S3' }, 'supports')).toBe('reproduced in shape');
    expect(word({ scope: 'S2', criterion: absolute }, 'supports')).toBe('inconclusive');
    const nested: Analysis = { kind: 'all', of: [{ kind: 'all', of: [absolute.analysis] }] };
    const buried = { ...absolute, analysis: nested };
    expect(word({ scope: 'S2', criterion: buried }, 'supports')).toBe('inconclusive');
    expect(word({ scope: 'S0' }, 'refutes')).toBe('contradicted');
    expect(word({ scope: 'S4' }, 'refutes')).toBe('contradicted');
    expect(word({ scope: 'S2' }, 'refutes')).toBe('not reproduced');
    expect(word({ scope: 'S2' }, 'refutes', false)).toBe('inconclusive');
    expect(publicWord(makeClaim({ scope: 'S2' }), 'refutes', [])).toBe('inconclusive');
    expect(word({ scope: 'S1' }, 'refutes')).toBe('inconclusive');
  });

  it('is counted per kind, and identities never count towards the headline', () => {
    const judged = (changes: Partial<Claim>): { claim: Claim; judgement: ReturnType<typeof judge> } => {
      const changed = makeClaim(changes);
      return { claim: changed, judgement: judge(changed, [makeRun(changed, losses(0))]) };
    };
    const sum = totals([judged({}), judged({ headline: false }), judged({ kind: 'identity', scope: 'S4' })]);
    expect(sum.kinds.behaviour['reproduced in shape']).toBe(2);
    expect(sum.kinds.identity.reproduced).toBe(1);
    expect(sum.headline['reproduced in shape']).toBe(1);
    expect(sum.headline.reproduced).toBe(0);
  });
});

describe('checkClaim', () => {
  it('accepts a sound claim and asks for a new entry when the criterion changes', () => {
    expect(checkClaim(claim)).toEqual([]);
    const changed = { ...claim, criterion: { ...criterion, sizes: ['full' as const] } };
    expect(checkClaim(changed)).toEqual([
      `paper/loss: the criterion changed: append an entry with hash ${criterionHash(changed)} and a note`,
    ]);
  });

  it('names what is wrong with a record', () => {
    const wrong = (changes: Partial<Claim>): string => checkClaim(makeClaim(changes)).join('\n');
    const overlapping: Criterion = {
      ...criterion,
      analysis: { ...criterion.analysis, support: { below: 3 } } as Analysis,
    };
    expect(wrong({ id: 'else/loss' })).toMatch(/id must begin/);
    expect(wrong({ arxiv: '2401.00001' })).toMatch(/number with version/);
    expect(wrong({ notTestable: 'why' })).toMatch(/exactly one/);
    expect(wrong({ kind: 'identity' })).toMatch(/must not be a headline/);
    expect(wrong({ criterion: overlapping })).toMatch(/overlaps support/);
    expect(wrong({ criterion: { ...criterion, seeds: { tuning: [11], reporting: REPORTING } } })).toMatch(
      /disjoint/,
    );
    expect(wrong({ criterion: { ...criterion, seeds: { tuning: [], reporting: [] } } })).toMatch(
      /needs reporting/,
    );
    const entries = [
      { hash: 'x', date: '2026-02-01', note: 'first' },
      { hash: criterionHash(claim), date: '2026-01-01', note: '' },
    ];
    expect(wrong({ registered: entries })).toMatch(/dated before[^]*must say why/);
  });
});
