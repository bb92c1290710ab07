import { describe, expect, it } from 'vitest';
import { useBackend } from '../../lib/index.js';
import { parameterCount } from '../../lib/nn/index.js';
import { analyse } from '../../lib/papers/ledger/analysis.js';
import type { Measurement } from '../../lib/papers/ledger/types.js';
import { estimateExperiment, runExperiment, type Setup } from '../../lib/papers/index.js';
import { generationClaim, generationCriterion, JUDGED } from '../../lib/papers/mamba/generation-claim.js';
import { generation, generationMeasurements } from '../../lib/papers/mamba/generation.js';
import { generationModels, generationPlan, timeGeneration } from '../../lib/papers/mamba/generation-steps.js';
import { memory } from '../../lib/tensor/memory.js';

const setup = (backend: Setup['backend'] = 'wasm'): Setup => ({
  size: 'smoke',
  backend,
  get text(): never {
    throw new Error('generation must not read the text');
  },
});

const liveBytes = () => memory().rows.reduce((sum, row) => sum + row.bytes, 0);
const seeds = generationCriterion.seeds.reporting;

/** Seconds of a machine where a step costs what `mamba` and `transformer` say. */
function machine(cost: {
  mamba: (batch: number, context: number) => number;
  transformer: (batch: number, context: number) => number;
}): Measurement[] {
  const noise = (i: number) => 1 + 0.01 * Math.sin(i);
  let i = 0;
  return seeds.flatMap((seed) =>
    JUDGED.contexts.flatMap((at) => [
      { arm: 'attention', at, seed, value: 1e-6 * at * noise(i++) },
      ...JUDGED.batches.flatMap((batch) =>
        (['mamba', 'transformer'] as const).map((arm) => ({
          arm: `${arm}-batch${batch}`,
          at,
          seed,
          value: cost[arm](batch, at) * noise(i++),
        })),
      ),
    ]),
  );
}

function outcome(seconds: readonly Measurement[]): { outcome: string; failing: string[] } {
  const measurements = generationMeasurements(generationPlan('lesson'), seconds);
  const controls = generationCriterion.controls.filter(
    ({ analysis }) => analyse(analysis, measurements, seeds).outcome !== 'supports',
  );
  return {
    outcome: analyse(generationCriterion.analysis, measurements, seeds).outcome,
    failing: controls.map(({ name }) => name),
  };
}

const steady = (batch: number) => 1 + 0.1 * batch;
const cached = (batch: number, context: number) => 0.4 + batch * (0.04 + 0.0005 * context);

describe('the experiment on generation', () => {
  it('measures every arm of the criterion in a smoke run, without the text, and leaves no memory behind', async () => {
    await useBackend('wasm');
    // Tables of rotary positions are kept for all sequences alike: the first run makes them.
    await runExperiment(generation, { setup: setup() });
    const before = liveBytes();
    const result = await runExperiment(generation, { setup: setup() });
    expect(liveBytes()).toBe(before);
    const measurements = result.findings.measurements[generationClaim.id];
    const { contexts, batches, seeds: own } = generationPlan('smoke');
    for (const prefix of ['mamba', 'transformer', 'ratio', 'self'])
      for (const batch of batches) {
        const arm = measurements.filter((m) => m.arm === `${prefix}-batch${batch}`);
        expect(arm.map((m) => m.at)).toEqual(own.flatMap(() => contexts));
        expect(arm.every((m) => m.value > 0 && m.value < Infinity)).toBe(true);
      }
    expect(result.findings.curves).toHaveLength(batches.length);
    expect(result.findings.config).not.toHaveProperty('note');
  });

  it('estimates before it runs', async () => {
    const estimate = await estimateExperiment(generation, { setup: setup() });
    expect(estimate.seconds).toBeGreaterThan(0);
    expect(estimate.seconds).toBeLessThan(Infinity);
  });

  it('stops when it is told to', async () => {
    const signal = AbortSignal.abort();
    await expect(timeGeneration(generationPlan('smoke'), { signal })).rejects.toThrow(/cancelled/);
  });

  it('does not measure on a GPU and says why', () => {
    expect(generation.parts(setup('webgpu'))).toEqual([]);
    const findings = generation.collect({}, setup('webgpu'));
    expect(findings.measurements[generationClaim.id]).toEqual([]);
    expect(findings.config['note']).toMatch(/copied for every token/);
  });

  it('compares models with equal parameters at every size', () => {
    for (const size of ['smoke', 'lesson', 'full'] as const) {
      const { mamba, transformer } = generationModels(generationPlan(size));
      expect(Math.abs(parameterCount(mamba) / parameterCount(transformer) - 1)).toBeLessThan(0.02);
    }
  });
});

describe('the criterion on generation', () => {
  it('supports a machine on which only the cache grows', () => {
    expect(outcome(machine({ mamba: steady, transformer: cached }))).toEqual({
      outcome: 'supports',
      failing: [],
    });
  });

  it('is refuted where the ratio does not rise with the context', () => {
    const flat = machine({ mamba: steady, transformer: (batch) => cached(batch, 1024) });
    expect(outcome(flat).outcome).toBe('refutes');
  });

  it('is refuted where the ratio does not rise with the batch', () => {
    const alike = machine({
      mamba: (batch) => batch,
      transformer: (batch, context) => batch * (0.4 + 0.001 * context),
    });
    expect(outcome(alike).outcome).toBe('refutes');
  });

  it('is refuted where Mamba never gets ahead', () => {
    const slow = machine({ mamba: (batch) => 100 * steady(batch), transformer: cached });
    expect(outcome(slow).outcome).toBe('refutes');
  });

  it('fails its control where the clock drifts with the context', () => {
    const seconds = machine({ mamba: steady, transformer: cached }).map((m) =>
      m.arm.startsWith('mamba') ? { ...m, value: m.value * (m.at! / 32) ** 0.3 } : m,
    );
    expect(outcome(seconds).failing.length).toBeGreaterThan(0);
  });

  it('supports nothing when a time is not a number', () => {
    const seconds = machine({ mamba: steady, transformer: cached }).map((m, i) =>
      m.arm === 'transformer-batch4' && i < 10 ? { ...m, value: NaN } : m,
    );
    expect(outcome(seconds).outcome).toBe('inconclusive');
  });
});
