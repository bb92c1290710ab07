import { beforeAll, describe, expect, it } from 'vitest';
import {
  openSetup,
  runExperiment,
  type Experiment,
  type ExperimentResult,
  type Setup,
} from '../../lib/papers/index.js';
import { analyse } from '../../lib/papers/ledger/analysis.js';
import type { Criterion, Measurement, Size } from '../../lib/papers/ledger/types.js';
import { inductionHeads, inductionPlan } from '../../lib/papers/mamba/induction-heads.js';
import { copyingPlan, selectiveCopying } from '../../lib/papers/mamba/selective-copying.js';
import * as criteria from '../../lib/papers/mamba/sequence-claims.js';
import type { SequencePlan } from '../../lib/papers/sequence-experiment.js';
import { parameterCount } from '../../lib/nn/index.js';

const STUDIES: [Experiment, (size: Size) => SequencePlan<unknown>, Criterion[]][] = [
  [selectiveCopying, copyingPlan, [criteria.selectiveCopying, criteria.gatingAlone]],
  [inductionHeads, inductionPlan, [criteria.inductionHeads]],
];

describe.each(STUDIES)('the smoke experiment $id', (experiment, plan, judged) => {
  let setup: Setup;
  let result: ExperimentResult;

  beforeAll(async () => {
    setup = await openSetup({ size: 'smoke', threads: 1, text: 'none' });
    result = await runExperiment(experiment, { setup });
  });

  it('tunes every arm that has a rate of its own, then trains every arm', () => {
    const { arms, rates } = plan('smoke');
    const own = Object.entries(arms).filter(([arm, { rateFrom = arm }]) => rateFrom === arm);
    expect(result.results['tuning']).toHaveLength(own.length * rates.length * judged[0].seeds.tuning.length);
    const trained = result.results['training'].map((done) => (done.result as { arm: string }).arm);
    expect(trained).toEqual(Object.keys(arms));
    expect(result.skipped).toEqual([]);
  });

  it('measures everything its criteria need: with all seeds, none lacks a measurement', () => {
    for (const claim of experiment.claims) {
      const own = result.findings.measurements[claim];
      // The one seed of smoke stands for all.
      const all = own.flatMap((m): Measurement[] =>
        m.seed === undefined ? [m] : judged[0].seeds.reporting.map((seed) => ({ ...m, seed })),
      );
      for (const { analysis, controls, seeds } of judged)
        for (const part of [analysis, ...controls.map((control) => control.analysis)])
          if (!atLength(part)) expect(analyse(part, all, seeds.reporting).missing ?? false).toBe(false);
    }
  });

  it('keeps curves, rates, chance and a fingerprint', () => {
    const { curves, config, fingerprint } = result.findings;
    expect(curves.some(({ label }) => label.includes('accuracy by distance'))).toBe(true);
    expect(Object.keys(config['chosen'] as object)).toEqual(Object.keys(plan('smoke').arms));
    expect(Object.values(config['chance'] as Record<string, number>)[0]).toBeGreaterThan(0);
    expect(fingerprint!.split(' ')).toHaveLength(Object.keys(plan('smoke').arms).length);
  });

  it.each(['lesson', 'full'] as const)('at %s compares arms of equal parameters', (size) => {
    const { arms } = plan(size);
    const counts = Object.values(arms).map(({ model }) => parameterCount(model));
    expect(Math.max(...counts) / Math.min(...counts)).toBeLessThan(1.04);
    for (const { model } of Object.values(arms))
      expect(Math.abs(parameterCount(model) / parameterCount(arms['s6'].model) - 1)).toBeLessThan(0.02);
  });
});

/** Does an analysis look at a test longer than those of smoke? */
function atLength(analysis: Criterion['analysis']): boolean {
  if (analysis.kind === 'all') return analysis.of.some(atLength);
  return 'at' in analysis && (analysis.at ?? 0) > 2;
}

it('every claim on the tasks is measured by one experiment, with the criterion it is judged by', () => {
  const measured = STUDIES.flatMap(([experiment]) => experiment.claims);
  expect(criteria.sequenceClaims.map(({ id }) => id)).toEqual(measured);
  expect(criteria.sequenceClaims.map(({ criterion }) => criterion)).toEqual(
    STUDIES.flatMap(([, , own]) => own),
  );
});

it('trains the time-invariant layer four times as long in one arm, and all others equally', () => {
  for (const size of ['smoke', 'lesson', 'full'] as const) {
    const { arms } = copyingPlan(size);
    const { 'lti-longer': longer, ...others } = arms;
    const steps = new Set(Object.values(others).map(({ recipe }) => recipe.steps));
    expect([...steps].map((n) => 4 * n)).toEqual([longer.recipe.steps]);
    expect(
      new Set(Object.values(inductionPlan(size).arms).map(({ recipe }) => JSON.stringify(recipe))).size,
    ).toBe(1);
  }
});
