/** Tuning and reporting of several arms: equal rates and seeds for all, then fresh seeds at the best rate of each. */
import { makespan } from './language.js';
import type { Done, Part, Plain, Results, Task, TaskContext } from './paper.js';

/** One training: an arm at a learning rate with a seed. */
export interface Trial {
  arm: string;
  rate: number;
  seed: number;
}

/** What an arm's training is. `Probe` is what a short training measured, for the estimate. */
export interface TunedTraining<Probe> {
  /** In the order in which they begin: long ones first. */
  arms: readonly string[];
  /** Tried for every arm that has a rate of its own. */
  rates: readonly number[];
  /** The arm whose tuning gives an arm its rate; default itself. An arm that takes another's is not tuned. */
  rateFrom?: (arm: string) => string;
  seeds: { tuning: readonly number[]; reporting: readonly number[] };
  /** Trainings in processes of their own. */
  isolated: boolean;
  /** Plain description of a training; everything its result depends on. */
  inputs(trial: Trial): Task['inputs'];
  /** Short real work of an arm. */
  probe(inputs: Task['inputs']): Promise<Probe>;
  /** Seconds of a training, from one probe of its arm. */
  seconds(inputs: Task['inputs'], probe: Probe): number;
  /** Holds `arm`, `rate`, and `tuning`: the loss that chooses the rate, null when the training diverged. */
  train(inputs: Task['inputs'], context: TaskContext): Promise<Plain>;
}

/** Seconds a process of its own takes to start. */
const START_SECONDS = 0.7;

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** The rate with the least mean tuning loss; diverged trainings count as infinite. */
export function bestRate(results: Results, arm: string, rates: readonly number[]): number {
  const tuned = (results['tuning'] ?? []).map(
    (done) => done.result as unknown as { arm: string; rate: number; tuning: number | null },
  );
  const loss = (rate: number): number => {
    const own = tuned.filter((result) => result.arm === arm && result.rate === rate);
    return own.length === 0
      ? Infinity
      : own.reduce((sum, result) => sum + (result.tuning ?? Infinity), 0) / own.length;
  };
  return rates.reduce((best, rate) => (loss(rate) < loss(best) ? rate : best), rates[0]);
}

/** The parts `tuning` and `training`. */
export function tunedTraining<Probe>(work: TunedTraining<Probe>): [Part, Part] {
  const { arms, rates, seeds, rateFrom = (arm) => arm } = work;
  const own = arms.filter((arm) => rateFrom(arm) === arm);
  // Probes of both parts time the same work: their mean is the better estimate.
  const probed: { arm: string; probe: Probe }[] = [];
  const all = (of: readonly number[]): Trial[] =>
    own.flatMap((arm) => of.flatMap((seed) => rates.map((rate) => ({ arm, rate, seed }))));
  const chosen = (results: Results): Trial[] =>
    arms.flatMap((arm) =>
      seeds.reporting.map((seed) => ({ arm, rate: bestRate(results, rateFrom(arm), rates), seed })),
    );
  const tuning = part(work, probed, {
    name: 'tuning',
    about: `${plural(rates.length, 'learning rate')}${seeds.tuning.length > 1 ? ` and ${seeds.tuning.length} seeds` : ''} for each of ${plural(own.length, 'arm')}`,
    planned: all(seeds.tuning),
    variants: (trial) => [trial],
    choose: () => all(seeds.tuning),
  });
  const training = part(work, probed, {
    name: 'training',
    about: `${plural(seeds.reporting.length, 'fresh seed')} for each of ${plural(arms.length, 'arm')}`,
    planned: chosen({}),
    // Which rate a reporting training has is known after tuning only.
    variants: ({ arm, seed }) => rates.map((rate) => ({ arm, rate, seed })),
    choose: chosen,
  });
  return [tuning, { ...training, needs: ['tuning'] }];
}

interface Stage {
  name: string;
  about: string;
  planned: readonly Trial[];
  /** What a planned training may turn out to be. */
  variants: (trial: Trial) => Trial[];
  choose: (results: Results) => Trial[];
}

function part<Probe>(
  work: TunedTraining<Probe>,
  probed: { arm: string; probe: Probe }[],
  { name, about, planned, variants, choose }: Stage,
): Part {
  const make = (trial: Trial): Task => ({
    id: `${trial.arm}-rate${trial.rate}-seed${trial.seed}`,
    inputs: work.inputs(trial),
  });
  const probeOf = (arm: string): Task => ({
    id: `probe-${arm}`,
    inputs: work.inputs({ arm, rate: work.rates[0], seed: 0 }),
  });
  return {
    name,
    about,
    isolated: work.isolated,
    probes: work.arms.map(probeOf),
    seconds: (probes: readonly Done[], workers, isDone) => {
      probes.forEach(({ result }, i) =>
        probed.push({ arm: work.arms[i], probe: result as unknown as Probe }),
      );
      const open = planned.filter((trial) => !variants(trial).some((variant) => isDone(make(variant))));
      const seconds = open.map((trial) => {
        const own = probed.filter((entry) => entry.arm === trial.arm);
        const each = own.map((entry) => work.seconds(work.inputs(trial), entry.probe));
        return (work.isolated ? START_SECONDS : 0) + each.reduce((a, b) => a + b, 0) / own.length;
      });
      return makespan(seconds, workers);
    },
    tasks: (results) => choose(results).map(make),
    run: async (task, context) =>
      task.id.startsWith('probe-')
        ? ((await work.probe(task.inputs)) as Plain)
        : await work.train(task.inputs, context),
  };
}
