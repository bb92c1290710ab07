/** What a token costs: bytes of the state and operations, counted; time of a pass and of a step, measured. */
import type { Measurement } from '../ledger/types.js';
import { asPlain } from '../language.js';
import { resultOf, type Experiment, type Part, type Setup, type Task } from '../paper.js';
import { measureOperations, measureStateBytes } from './counts.js';
import { measureTimes, probeTimes, timingPlan } from './times.js';

const single = (id: string): Task => ({ id, inputs: {} });

function countsPart(): Part {
  return {
    name: 'counts',
    about: 'bytes of the state and operations per token over growing contexts',
    isolated: false,
    seconds: () => 1.5,
    tasks: () => [single('state-bytes'), single('operations')],
    run: async (task) => asPlain(task.id === 'state-bytes' ? measureStateBytes() : measureOperations()),
  };
}

function timesPart({ size, backend }: Setup): Part {
  const plan = timingPlan(size, backend);
  return {
    name: 'times',
    about: `time of a pass over up to ${plan.lengths.at(-1)} tokens and of a step after up to ${plan.contexts.at(-1)}`,
    isolated: false,
    probes: [single('probe')],
    seconds: ([probe]) => probe.result as number,
    tasks: () => [single('pass'), single('step')],
    run: async (task, context) => {
      if (task.id === 'probe') return probeTimes(plan, context);
      return asPlain(await measureTimes(task.id as 'pass' | 'step', plan, context));
    },
  };
}

export const cost: Experiment = {
  id: 'cost',
  about: 'what a token costs in memory, operations and time, whatever came before it',
  claims: ['mamba/state-bytes', 'mamba/operations-per-token', 'mamba/time-of-a-pass', 'mamba/time-of-a-step'],
  parts: (setup) => [countsPart(), timesPart(setup)],
  collect: (results, { size, backend }) => ({
    config: { times: asPlain(timingPlan(size, backend)) },
    measurements: {
      'mamba/state-bytes': resultOf<Measurement[]>(results, 'counts', 'state-bytes') ?? [],
      'mamba/operations-per-token': resultOf<Measurement[]>(results, 'counts', 'operations') ?? [],
      'mamba/time-of-a-pass': resultOf<Measurement[]>(results, 'times', 'pass') ?? [],
      'mamba/time-of-a-step': resultOf<Measurement[]>(results, 'times', 'step') ?? [],
    },
    curves: [],
  }),
};
