/** Course session S19: a grid of tiny byte models on generated text of known entropy, fitted, and one larger run hidden. */
import { asPlain, makespan } from '../language.js';
import type { Curve } from '../ledger/types.js';
import type { Done, Experiment, Findings, Part, Plain, Results, Setup, Task } from '../paper.js';
import { analyseGrid, type GridFindings } from './analysis.js';
import { gridSeeds } from './claims.js';
import { gridPlan, peakRate, placesOf, type Place } from './plan.js';
import {
  evaluationFloor,
  probeGridPoint,
  trainGridPoint,
  type GridResult,
  type GridTask,
} from './training.js';

/** Seconds a process of its own takes to start. */
const START_SECONDS = 0.7;

const asTask = (inputs: Task['inputs']): GridTask => inputs as unknown as GridTask;
const trainedOf = (results: Results): GridResult[] =>
  (results['training'] ?? []).map((done) => done.result as unknown as GridResult);

function tasksOf(setup: Setup): Task[] {
  const plan = gridPlan(setup.size);
  const { reporting } = gridSeeds;
  const seeds = setup.size === 'smoke' ? reporting.slice(0, 1) : reporting;
  const make = ({ width, bytes }: Place, seed: number): Task => ({
    id: `width${width}-bytes${bytes}-seed${seed}`,
    inputs: { width, bytes, seed, windows: plan.windows },
  });
  return [plan.hidden, ...placesOf(plan)].flatMap((place) => seeds.map((seed) => make(place, seed)));
}

function trainingPart(setup: Setup): Part {
  const plan = gridPlan(setup.size);
  const smoke = setup.size === 'smoke';
  const widths = smoke ? [plan.hidden.width] : [...plan.widths, plan.hidden.width];
  const secondsOf = (probes: readonly Done[], task: Task): number => {
    const { width, bytes } = asTask(task.inputs);
    const own = probes.find((probe) => asTask(probe.task.inputs).width === width) ?? probes[0];
    return (smoke ? 0 : START_SECONDS) + ((own?.result as number | undefined) ?? 0) * bytes;
  };
  return {
    name: 'training',
    about: `${plan.widths.length} sizes by ${plan.bytes.length} amounts of data, and a hidden larger run`,
    isolated: !smoke,
    probes: widths.map((width) => ({
      id: `probe-width${width}`,
      inputs: { width, bytes: 0, seed: 0, windows: 0 },
    })),
    seconds: (probes, workers, isDone) =>
      makespan(
        tasksOf(setup)
          .filter((task) => !isDone(task))
          .map((task) => secondsOf(probes, task)),
        workers,
      ),
    tasks: () => tasksOf(setup),
    run: async (task, context) =>
      task.id.startsWith('probe-')
        ? await probeGridPoint(asTask(task.inputs))
        : asPlain(await trainGridPoint(asTask(task.inputs), context)),
  };
}

function fitPart(setup: Setup): Part {
  return {
    name: 'fit',
    about: 'laws fitted to the grid without the hidden run',
    isolated: false,
    needs: ['training'],
    seconds: () => 1,
    tasks: (results) => [{ id: 'fit', inputs: { trained: asPlain(trainedOf(results)) } }],
    run: async (task) => {
      const trained = task.inputs['trained'] as unknown as GridResult[];
      return (await analyseGrid(trained, gridPlan(setup.size))) as unknown as Plain;
    },
  };
}

/** Training losses of the first seed. */
function curvesOf(trained: readonly GridResult[]): Curve[] {
  return trained
    .filter(({ seed, curve }) => seed === gridSeeds.reporting[0] && curve.x.length > 0)
    .map(({ width, bytes, seed, curve }) => ({
      arm: `width ${width}`,
      seed,
      label: `${bytes / 1024} KiB, training loss`,
      ...curve,
    }));
}

function collect(results: Results, setup: Setup): Findings {
  const plan = gridPlan(setup.size);
  const trained = trainedOf(results);
  const found = results['fit']?.[0]?.result as unknown as GridFindings | undefined;
  const prints = trained.map(({ fingerprint }) => fingerprint);
  const table = trained.map(({ width, bytes, seed, parameters, total, loss, seconds }) => ({
    ...{ width, bytes, seed, parameters, total, loss },
    ...{ rate: peakRate(width), seconds: Math.round(seconds * 10) / 10 },
  }));
  return {
    config: { grid: asPlain(plan), trainings: table, ...found?.config },
    measurements: found?.measurements ?? {},
    curves: curvesOf(trained),
    ...(setup.backend === 'wasm' && prints.length > 0 ? { fingerprint: prints.join(' ') } : {}),
    baselines: [
      {
        name: 'ideal coder',
        value: evaluationFloor(plan.windows),
        unit: 'bits per byte',
        note: 'on the bytes scored, knowing the source and the whole past',
      },
    ],
  };
}

export const grid: Experiment = {
  id: 'grid',
  about: 'a grid of tiny byte models on text of known entropy, and one hidden run',
  claims: ['kaplan-scaling-laws/entropy', 'kaplan-scaling-laws/prediction', 'kaplan-scaling-laws/embeddings'],
  parts: (setup) => [trainingPart(setup), fitPart(setup)],
  collect,
};
