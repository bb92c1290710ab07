/**
 * The layer of a mixture of experts over tokens, experts and choices: our sparse layer, our dense sum with weights of
 * zero, and PyTorch, in turn. Router, gate, plan, dispatch, grouped products and combine are all part of a call.
 */
import { compare } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Dims } from '../../lib/core/shape.js';
import { denseMoe, moeFeedForward, topKGate } from '../../lib/families/moe-routing/index.js';
import { isSoftware } from '../../lib/gpu/command.js';
import { gpuContext } from '../../lib/gpu/device.js';
import { operator, scope } from '../../lib/index.js';
import { matmul } from '../../lib/ops/index.js';
import { isOpen, withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { breathe, largestTensor, useThreads, type SweepOptions } from './lanes.js';
import { alternate, sampler, timingOf, type Sampler, type Work } from './measure.js';
import { redCases } from './operators.js';
import { sizes, type BenchRow } from './rows.js';

export const MOE = 'moe-layer';
const ROW_MS = 1500;
const DIRECTIONS = ['forward', 'forward+backward'] as const;
type Direction = (typeof DIRECTIONS)[number];

/** Experts, choices and widths; tokens are swept. */
export const MOE_SHAPES: readonly Dims[] = [
  { E: 2, K: 1, D: 256, F: 512 },
  { E: 4, K: 2, D: 256, F: 512 },
  { E: 8, K: 1, D: 256, F: 512 },
  { E: 8, K: 2, D: 256, F: 512 },
  { E: 16, K: 2, D: 256, F: 512 },
  { E: 64, K: 6, D: 256, F: 128 },
];
export const MOE_TOKENS: readonly number[] = [1, 16, 128, 1024];

/** Operators the layer is made of: what fails its cases is not timed. */
const PARTS: readonly string[] = [
  'ops/matmul',
  'ops/grouped-matmul',
  'ops/grouped-outer',
  'moe-routing/gate',
  'moe-routing/plan',
  'moe-routing/dispatch',
  'moe-routing/combine',
];

type Weights = Record<'x' | 'router' | 'gate' | 'up' | 'down', Tensor>;

function weights({ T, E, D, F }: Dims, device: 'host' | 'gpu'): Weights {
  const make = (name: string, ...shape: number[]) => {
    const values = new Float32Array(sizeOf(shape));
    const scale = name === 'x' ? 1 : 1 / Math.sqrt(shape[shape.length - 2]);
    new Random(7).split(name).fillNormal(values, 0, scale);
    return tensor(values, { shape, device });
  };
  return {
    x: make('x', T, D),
    router: make('router', D, E),
    gate: make('gate', E, D, F),
    up: make('up', E, D, F),
    down: make('down', E, F, D),
  };
}

const FORMS = ['grouped', 'masked-dense'] as const;
type MoeForm = (typeof FORMS)[number];

function layer(form: MoeForm, k: number, { x, router, gate, up, down }: Weights): Tensor {
  const routing = topKGate(matmul(x, router), { k, normalize: 'chosen' });
  const experts = { gate, up, down };
  return form === 'grouped' ? moeFeedForward(x, experts, routing).y : denseMoe(x, experts, routing);
}

function once(form: MoeForm, k: number, direction: Direction, given: Weights): Tensor {
  if (direction === 'forward') return layer(form, k, given);
  const { outputs, pull } = vjp((p: Weights) => ({ y: layer(form, k, p) }), given);
  return pull({ y: outputs.y }).x;
}

function workOf(form: MoeForm, k: number, direction: Direction, backend: BackendName, given: Weights): Work {
  return {
    run: (calls) => {
      let last: Tensor | undefined;
      for (let i = 0; i < calls; i++) {
        last?.dispose();
        last = withBackend(backend, () => scope(() => once(form, k, direction, given)));
      }
      const probe = last!;
      if (backend !== 'webgpu') return probe.dispose();
      // Only a readback makes a GPU finish; the host has finished when the call returns.
      return probe.data().then(() => probe.dispose());
    },
  };
}

/** Why a backend is not timed: failing cases of its parts, or two forms that differ. */
export async function moeRed(backend: BackendName): Promise<string[]> {
  const failed: string[] = [];
  for (const id of PARTS) {
    const { forms } = operator(id).record;
    const has = (form: Form, on: BackendName) => forms[form]?.[on] !== undefined;
    const fast = (Object.keys(forms) as Form[]).filter((form) => form !== 'reference' && has(form, backend));
    for (const form of fast) failed.push(...(await redCases(operator(id), form, backend)));
    // What has no kernel of its own on the host runs as the reference.
    if (fast.length === 0) failed.push(...(await redCases(operator(id), 'reference', 'cpu')));
  }
  const given = weights({ T: 37, E: 5, D: 19, F: 23 }, backend === 'webgpu' ? 'gpu' : 'host');
  for (const direction of DIRECTIONS) {
    const [y, wanted] = FORMS.map((form) =>
      withBackend(backend, () => scope(() => once(form, 2, direction, given))),
    );
    const found = compare(await y.data(), await wanted.data(), {
      ...{ name: `${MOE} ${backend} ${direction}`, dims: y.shape, seed: 7, tolerance: 5e-5 },
    });
    if (!found.ok) failed.push(found.text);
    y.dispose();
    wanted.dispose();
  }
  for (const t of Object.values(given)) t.dispose();
  return failed;
}

interface MoeLane {
  row: Pick<BenchRow, 'op' | 'form' | 'backend' | 'threads' | 'direction' | 'opponent' | 'software'>;
  /** Milliseconds of its last call; infinite after one that could not be made. */
  done: number;
  fits(dims: Dims): boolean;
  prepare(dims: Dims, given: (device: 'host' | 'gpu') => Weights): Promise<Sampler>;
}

function ownLanes(backend: BackendName, options: SweepOptions): MoeLane[] {
  const device = backend === 'webgpu' ? 'gpu' : 'host';
  const software = backend === 'webgpu' && isSoftware(gpuContext('bench').info);
  return (backend === 'wasm' ? options.threads : [1]).flatMap((threads) =>
    FORMS.flatMap((form) =>
      DIRECTIONS.map((direction): MoeLane => {
        // The dense sum is a program to be held against, if one of ours.
        const against = form === 'masked-dense' ? { opponent: `${backend} masked-dense` } : {};
        return {
          row: {
            ...{ op: MOE, form, backend, threads, direction },
            ...(software ? { software } : {}),
            ...against,
          },
          done: 0,
          fits: (dims) =>
            largestOf(dims, form) <= largestTensor(backend) &&
            options.wants({ op: MOE, form, backend, direction, dims }),
          prepare: async (dims, given) => {
            const work = workOf(form, dims.K, direction, backend, given(device));
            const ready = () => useThreads(threads, () => work.run(1));
            await ready();
            const own = await sampler(work, ROW_MS);
            return { ...own, take: async () => (await ready(), own.take()) };
          },
        };
      }),
    ),
  );
}

function otherLanes(options: SweepOptions): MoeLane[] {
  return options.opponents.flatMap((opponent) =>
    DIRECTIONS.map((direction): MoeLane => {
      const { name, form, threads } = opponent;
      return {
        row: { op: MOE, form, backend: 'other', threads, direction, opponent: name },
        done: 0,
        fits: (dims) => opponent.fits(dims),
        prepare: (dims) => opponent.sampler(dims, direction, ROW_MS),
      };
    }),
  );
}

const largestOf = ({ T, E, K, D, F }: Dims, form: MoeForm): number =>
  4 * Math.max(E * D * F, (form === 'grouped' ? K : E) * T * Math.max(D, F));

/** Of the sparse layer: every form is asked for the same result. */
function costOf({ T, E, K, D, F }: Dims, direction: string): { flops: number; bytes: number } {
  const factor = direction === 'forward' ? 1 : 3;
  const used = Math.min(E, K * T);
  return {
    flops: factor * (2 * T * D * E + 6 * T * K * D * F),
    bytes: factor * 4 * (2 * T * D + 3 * used * D * F),
  };
}

async function race(lanes: readonly MoeLane[], dims: Dims, options: SweepOptions): Promise<void> {
  const made = new Map<string, Weights>();
  const given = (device: 'host' | 'gpu') => {
    if (!made.has(device)) made.set(device, weights(dims, device));
    return made.get(device)!;
  };
  const ready: { lane: MoeLane; own: Sampler }[] = [];
  try {
    for (const lane of lanes) {
      await breathe(options.signal);
      try {
        ready.push({ lane, own: await lane.prepare(dims, given) });
      } catch (error) {
        options.signal?.throwIfAborted();
        lane.done = Infinity;
        options.onStop(`${MOE} ${lane.row.opponent ?? lane.row.form} at ${sizes(dims)}: ${String(error)}`);
      }
    }
    ready.sort((a, b) => a.lane.row.threads - b.lane.row.threads);
    const times = await alternate(
      ready.map(({ own }) => own),
      () => breathe(options.signal),
    );
    for (const [i, { lane }] of ready.entries()) {
      const timing = timingOf(times[i]);
      lane.done = timing.medianMs;
      const { direction } = lane.row;
      options.onRow({ ...lane.row, dims, dtype: 'f32', ...costOf(dims, direction), ...timing });
    }
  } finally {
    for (const tensors of made.values()) for (const t of Object.values(tensors)) t.dispose();
  }
}

/** Sweeps tokens over all shapes; a lane that has taken too long for its share of a call ends. */
export async function sweepMoe(
  options: SweepOptions,
  shapes: readonly Dims[] = MOE_SHAPES,
  tokens: readonly number[] = MOE_TOKENS,
): Promise<void> {
  const own: MoeLane[] = [];
  for (const backend of options.backends.filter(isOpen)) {
    const lanes = ownLanes(backend, options);
    if (!shapes.some((shape) => tokens.some((T) => lanes.some((lane) => lane.fits({ T, ...shape })))))
      continue;
    const failed = await moeRed(backend);
    failed.forEach((text) => options.onRed(text));
    if (failed.length === 0) own.push(...lanes);
  }
  const begun = performance.now();
  for (const shape of shapes) {
    const lanes = [...own, ...otherLanes(options)];
    for (const lane of lanes) lane.done = 0;
    let before = 1;
    for (const T of tokens) {
      const dims = { T, ...shape };
      // What is left out once stays out: it would only take longer.
      for (const lane of lanes)
        if ((lane.done * T) / before > 1000 * options.callSeconds) lane.done = Infinity;
      const racing = lanes.filter((lane) => lane.done < Infinity && lane.fits(dims));
      // Others run where one of ours does.
      if (!racing.some((lane) => !lane.row.opponent)) continue;
      const seconds = (performance.now() - begun) / 1000;
      if (seconds > options.totalSeconds) {
        options.onStop(
          `${MOE} ends before ${sizes(dims)}: ${seconds.toFixed(0)} s have passed, above --total-seconds ${options.totalSeconds}`,
        );
        return;
      }
      await race(racing, dims, options);
      before = T;
    }
  }
}
