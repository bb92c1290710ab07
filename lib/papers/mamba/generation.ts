/**
 * Generation: tokens a second of a Mamba model over those of a transformer with a key/value cache and as many
 * parameters, over growing contexts and batches.
 */
import { median } from '../../core/statistics.js';
import { parameterCount } from '../../nn/index.js';
import { asPlain } from '../language.js';
import type { Curve, Measurement } from '../ledger/types.js';
import { resultOf, type Experiment, type Part, type Task } from '../paper.js';
import { generationClaim } from './generation-claim.js';
import {
  generationModels,
  generationPlan,
  probeGeneration,
  timeGeneration,
  type GenerationPlan,
} from './generation-steps.js';

/**
 * Measurements of the claim from seconds of a step: tokens a second of each model (`mamba-batch4` at contexts), Mamba's
 * over the transformer's (`ratio-batch4` at contexts, `ratio-context2048` at batches), Mamba's over its
 * own after the shortest context (`self-batch4`), and parameters.
 */
export function generationMeasurements(plan: GenerationPlan, seconds: readonly Measurement[]): Measurement[] {
  const made: Measurement[] = [];
  const time = (arm: string, at: number, seed: number): number =>
    median(seconds.filter((m) => m.arm === arm && m.at === at && m.seed === seed).map((m) => m.value));
  for (const seed of new Set(seconds.map((m) => m.seed!)))
    for (const at of plan.contexts) {
      made.push({ arm: 'attention', at, seed, value: time('attention', at, seed) });
      for (const batch of plan.batches) {
        const mamba = time(`mamba-batch${batch}`, at, seed);
        const transformer = time(`transformer-batch${batch}`, at, seed);
        const shortest = time(`mamba-batch${batch}`, plan.contexts[0], seed);
        const ratio = transformer / mamba;
        made.push(
          { arm: `mamba-batch${batch}`, at, seed, value: batch / mamba },
          { arm: `transformer-batch${batch}`, at, seed, value: batch / transformer },
          { arm: `ratio-batch${batch}`, at, seed, value: ratio },
          { arm: `ratio-context${at}`, at: batch, seed, value: ratio },
          { arm: `self-batch${batch}`, at, seed, value: shortest / mamba },
        );
      }
    }
  for (const [arm, config] of Object.entries(generationModels(plan)))
    made.push({ arm: `${arm}-parameters`, value: parameterCount(config) });
  return made;
}

const single = (id: string): Task => ({ id, inputs: {} });

function stepsPart(plan: GenerationPlan): Part {
  const { contexts, batches } = plan;
  return {
    name: 'steps',
    about: `time of a generated token after up to ${contexts.at(-1)} tokens, batches of ${batches.join(', ')}`,
    isolated: false,
    probes: [single('probe')],
    seconds: ([probe]) => probe.result as number,
    tasks: () => [single('steps')],
    run: async (task, context) =>
      task.id === 'probe' ? probeGeneration(plan, context) : asPlain(await timeGeneration(plan, context)),
  };
}

const GPU_NOTE =
  'Not measured on a GPU: a key/value cache there is copied for every token, which would favour Mamba.';

/** Median over the seeds, for the curves. */
function curvesOf(measurements: readonly Measurement[], plan: GenerationPlan): Curve[] {
  return plan.batches.map((batch) => {
    const arm = `ratio-batch${batch}`;
    const y = plan.contexts.map((at) =>
      median(measurements.filter((m) => m.arm === arm && m.at === at).map((m) => m.value)),
    );
    return {
      arm,
      label: `batch ${batch}, tokens a second of Mamba over the transformer's`,
      x: plan.contexts,
      y,
    };
  });
}

/** The experiment behind mamba/generation-ratio. */
export const generation: Experiment = {
  id: 'generation',
  about: 'tokens a second of Mamba and of a transformer with a key/value cache, by context and batch',
  claims: [generationClaim.id],
  parts: ({ size, backend }) => (backend === 'webgpu' ? [] : [stepsPart(generationPlan(size))]),
  collect: (results, { size, backend }) => {
    const plan = generationPlan(size);
    const seconds = resultOf<Measurement[]>(results, 'steps', 'steps');
    const measurements = seconds ? generationMeasurements(plan, seconds) : [];
    return {
      config: {
        plan: asPlain(plan),
        models: asPlain(generationModels(plan)),
        ...(backend === 'webgpu' ? { note: GPU_NOTE } : {}),
      },
      measurements: { [generationClaim.id]: measurements },
      curves: seconds ? curvesOf(measurements, plan) : [],
    };
  },
};
