/**
 * A sweep: one operator over growing sequences, every form its record has, on every backend asked for, side by side
 * with other programs, until tensors, a call or the whole would grow too large.
 */
import { operator } from '../../lib/index.js';
import { CancelledError } from '../../lib/core/errors.js';
import type { Dims } from '../../lib/core/shape.js';
import { isOpen } from '../../lib/tensor/backend.js';
import { copyRow } from './copy.js';
import {
  breathe,
  otherLanes,
  ownLanes,
  passing,
  problemBytes,
  type Lane,
  type SweepOptions,
} from './lanes.js';
import { alternate, timingOf, type Sampler } from './measure.js';
import { Bench, type Problem } from './operators.js';
import { gigabytes, series, sizes, type BenchRow } from './rows.js';
import { dimsAt, type Sweep } from './sweeps.js';

const FIRST = 256;
/** Doublings that a filter is tried on. */
const LENGTHS = 14;
/** Backward of a linear recurrence: about twice the forward pass again. */
const FACTOR: Record<string, number> = { forward: 1, 'forward+backward': 3, backward: 2, step: 1 };

/** What the next call will take: lengths double, and so does the time, or it grows as before (up to the square). */
function predicted({ done }: Lane): number {
  const [last, before] = [done[done.length - 1] ?? 0, done[done.length - 2]];
  const growth = before === undefined ? 2 : last / before;
  return last * Math.min(4, Math.max(2, growth));
}

const laneName = ({ row }: Lane): string => `${row.op} ${series(row)} ${row.direction}`;

/** Sizes of a problem as a row shows them: T alone stands for time. */
function shown(problem: Problem, lengths: readonly string[]): Dims {
  return Object.fromEntries(Object.entries(problem.dims).filter(([name]) => !lengths.includes(name)));
}

/** Why a lane ends before these sizes; undefined while it goes on. */
function ends(lane: Lane, problem: Problem, { callSeconds }: SweepOptions): string | undefined {
  const bytes = problemBytes(problem);
  if (bytes > lane.largest)
    return `a tensor of ${Math.round(bytes / 2 ** 20)} MiB is above ${Math.round(lane.largest / 2 ** 20)} MiB`;
  const milliseconds = predicted(lane);
  if (milliseconds > callSeconds * 1000)
    return `a call would take about ${(milliseconds / 1000).toFixed(1)} s, above --max-seconds ${callSeconds}`;
  return undefined;
}

/** All lanes at one size, in turn. */
async function race(
  lanes: readonly Lane[],
  problem: Problem,
  options: SweepOptions,
  copies: Copies,
  dims: Dims,
): Promise<void> {
  const benches = new Map<string, Bench>();
  const bench = (device: 'host' | 'gpu') => {
    if (!benches.has(device)) benches.set(device, new Bench(problem, device));
    return benches.get(device)!;
  };
  const stop = (lane: Lane, why: string) => {
    lane.stopped = true;
    options.onStop(`${laneName(lane)} ends before ${sizes(dims)}: ${why}`);
  };
  const ready: { lane: Lane; own: Sampler }[] = [];
  try {
    for (const lane of lanes) {
      await breathe(options.signal);
      const why = ends(lane, problem, options);
      if (why) {
        stop(lane, why);
        continue;
      }
      try {
        ready.push({ lane, own: await lane.prepare(bench, dims) });
      } catch (error) {
        if (error instanceof CancelledError || options.signal?.aborted) throw error;
        stop(lane, error instanceof Error ? error.message : String(error));
      }
    }
    // Changing the number of threads costs a moment: once a round for each number.
    ready.sort((a, b) => a.lane.row.threads - b.lane.row.threads);
    const times = await alternate(
      ready.map(({ own }) => own),
      () => breathe(options.signal),
    );
    const rows = ready.map(({ lane }, i) => rowOf(lane, problem, dims, times[i]));
    for (const [i, { lane }] of ready.entries()) {
      lane.done.push(rows[i].medianMs);
      options.onRow(withShare(rows[i], copies));
      const forward = ready.findIndex((other) => isForwardOf(other.lane, lane));
      if (forward < 0) continue;
      const backward = backwardRow(rows[i], times[i], times[forward]);
      // Noise can make the whole faster than its part.
      if (backward.medianMs > 0) options.onRow(withShare(backward, copies));
      else options.onStop(`${laneName(lane)} at ${sizes(dims)}: backward is lost in the noise`);
    }
  } finally {
    for (const made of benches.values()) made.dispose();
  }
}

/** Goes a lane on at these sizes? Where tensors end it says so in its next race; what a filter leaves out just ends. */
const goesOn = (lane: Lane, problem: Problem): boolean =>
  !lane.stopped &&
  (problemBytes(problem) <= lane.largest || (lane.done.length > 0 && lane.fits(problem.dims)));

const isForwardOf = (a: Lane, b: Lane): boolean =>
  a.row.direction === 'forward' &&
  b.row.direction === 'forward+backward' &&
  series(a.row) === series(b.row) &&
  a.row.op === b.row.op;

function rowOf(lane: Lane, problem: Problem, dims: Dims, times: readonly number[]): BenchRow {
  const { record } = operator(problem.op);
  const factor = FACTOR[lane.row.direction];
  return {
    ...lane.row,
    dims,
    dtype: 'f32',
    flops: factor * record.flops(problem.dims, problem.params ?? {}),
    bytes: factor * record.bytes(problem.dims, problem.params ?? {}),
    ...timingOf(times),
  };
}

/** forward+backward minus forward, sample by sample as they were taken in turn. */
function backwardRow(both: BenchRow, times: readonly number[], forward: readonly number[]): BenchRow {
  const rounds = Math.min(times.length, forward.length);
  const differences = Array.from({ length: rounds }, (_, i) => times[i] - forward[i]);
  const scale = FACTOR['backward'] / FACTOR['forward+backward'];
  return {
    ...both,
    direction: 'backward',
    derived: true,
    flops: scale * both.flops,
    bytes: scale * both.bytes,
    ...timingOf(differences),
  };
}

/** Copies measured so far, by backend and threads. */
type Copies = Map<string, BenchRow>;

function withShare(row: BenchRow, copies: Copies): BenchRow {
  const copy = copies.get(`${row.backend} ${row.threads}`);
  return copy ? { ...row, copyShare: gigabytes(row) / gigabytes(copy) } : row;
}

async function measureCopies(options: SweepOptions): Promise<Copies> {
  const copies: Copies = new Map();
  for (const backend of options.backends.filter(isOpen))
    for (const threads of backend === 'wasm' ? options.threads : [1]) {
      const row = await copyRow(backend, threads);
      copies.set(`${backend} ${threads}`, row);
      options.onRow(row);
    }
  return copies;
}

/** Does a filter want any row of a sweep? */
export function isWanted(sweep: Sweep, { backends, wants }: SweepOptions): boolean {
  const { forms } = operator(sweep.op).record;
  const lengths = Array.from({ length: LENGTHS }, (_, i) => FIRST * 2 ** i);
  const passes = sweep.shapes.flatMap((shape) => lengths.map((T) => dimsAt(sweep, shape, T)));
  return Object.keys(forms).some((form) =>
    (form === 'step' && !sweep.decode ? sweep.steps : passes).some((dims) =>
      backends.some((backend) =>
        ['forward', 'forward+backward', 'step'].some((direction) =>
          wants({ op: sweep.op, form, backend, direction, dims }),
        ),
      ),
    ),
  );
}

/** Runs a sweep: lengths grow outermost, so that all programs meet each of them at the same time of the run. */
export async function runSweep(sweep: Sweep, options: SweepOptions): Promise<void> {
  const { op, decode = false } = sweep;
  const others = (sweep.lengths ?? []).filter((name) => name !== 'T');
  const problemAt = (dims: Dims): Problem => ({ op, dims, params: sweep.params, with: sweep.with });
  const forms = await passing(op, options);
  // Cases on a software GPU may take minutes: they are not part of what was asked to be bounded.
  const begun = performance.now();
  const copies = await measureCopies(options);
  const tables = sweep.shapes.map((shape) => ({
    shape,
    lanes: [...ownLanes(op, forms, decode, options), ...otherLanes(op, decode, options)],
  }));
  const steps = ownLanes(op, forms, true, options);
  for (const dims of sweep.steps) {
    const lanes = steps.filter((lane) => !lane.stopped && lane.fits(dims));
    // Sizes of steps do not double: what the last one took says nothing about the next.
    for (const lane of lanes) lane.done = [];
    if (lanes.length > 0) await race(lanes, problemAt(dims), options, copies, dims);
  }
  let open = tables;
  for (let T = options.from ?? FIRST; open.length > 0 && T <= (options.to ?? Infinity); T *= 2) {
    for (const { shape, lanes } of open) {
      const problem = problemAt(dimsAt(sweep, shape, T));
      const dims = shown(problem, others);
      const racing = lanes.filter((lane) => !lane.stopped && lane.fits(dims));
      // Others run where one of ours does.
      if (!racing.some((lane) => !lane.row.opponent)) continue;
      const seconds = (performance.now() - begun) / 1000;
      if (seconds > options.totalSeconds) {
        options.onStop(
          `${op} ends before ${sizes(dims)}: ${seconds.toFixed(0)} s have passed, above --total-seconds ${options.totalSeconds}`,
        );
        return;
      }
      await race(racing, problem, options, copies, dims);
    }
    open = open.filter(({ shape, lanes }) =>
      lanes.some((lane) => !lane.row.opponent && goesOn(lane, problemAt(dimsAt(sweep, shape, 2 * T)))),
    );
  }
}
