/** `assay doctor`: what this machine has, what it can run and for how long, and what to do about each gap. */
import { readdirSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { loadSetup, type MachineFacts } from './setup-bridge.js';
import { parseVerbArgs, type Verb } from './verb.js';

/** One job and whether it can be done here. Minutes are an estimate from a short measurement of this CPU. */
export interface Runnable {
  job: string;
  possible: boolean;
  minutes?: number;
  why?: string;
}

export interface DoctorReport {
  node: {
    version: string;
    ok: boolean;
    platform: string;
    arch: string;
    threads: number;
    cpu: string;
    memoryGB: number;
  };
  adapter: {
    vendor: string;
    architecture: string;
    device: string;
    description: string;
    software: boolean;
  } | null;
  features: string[];
  limits: Record<string, number>;
  wasm: { simd: boolean; threads: boolean };
  python: { version: string; executable: string } | null;
  jupyter: {
    jupyterlab: string | null;
    venv: string | null;
    tslab: string | null;
    /** The project's own kernel is built. */
    assay: boolean;
    /** Kernels registered in .venv. */
    kernels: string[];
  };
  data: { ASSAY_DATA: string | null; exists: boolean; entries: string[] };
  runs: Runnable[];
  advice: string[];
  undo: string[];
}

export const verb: Verb = {
  name: 'doctor',
  summary: 'what this machine has, what it can run and for how long, what to do about each gap',
  usage: `Usage: assay doctor [--json]

Looks at Node, the WebGPU adapter (asked in a child process), WebAssembly, Python, JupyterLab and the data
folder, and says what can run here and what to do about each gap. Changes nothing.

  --json   print {node, adapter, features, limits, wasm, python, jupyter, data, runs, advice, undo}`,
  async run(args, context) {
    const { values } = parseVerbArgs({ args, options: { json: { type: 'boolean' } } });
    const setup = await loadSetup(context.root);
    const report = diagnose(await setup.gatherFacts(), measureSpeed());
    if (values.json) context.json(report);
    else for (const line of describe(report)) context.out(line);
    return 0;
  },
};

/** Turns facts into the report. `speed` is this CPU's, as measured by {@link measureSpeed}. */
export function diagnose(facts: MachineFacts, speed: number): DoctorReport {
  const { adapter } = facts;
  const folder = process.env['ASSAY_DATA'];
  const data = {
    ASSAY_DATA: folder ? resolve(folder) : null,
    ...dataEntries(folder),
  };
  const wasm = wasmFeatures();
  return {
    node: nodeFacts(facts),
    adapter: adapter.found && adapter.info ? { ...adapter.info, software: adapter.software ?? false } : null,
    features: adapter.features ?? [],
    limits: adapter.limits ?? {},
    wasm,
    python: facts.python,
    jupyter: {
      jupyterlab: facts.jupyterlab,
      venv: facts.venv,
      tslab: facts.tslab,
      assay: facts.assayKernel,
      kernels: facts.kernels,
    },
    data,
    runs: runnables(facts, speed, wasm),
    advice: adviceFor(facts, data, wasm),
    undo: facts.system.undo,
  };
}

/** What lies in the data folder; a file in its place, or a folder that cannot be read, is no data folder. */
function dataEntries(folder: string | undefined): { exists: boolean; entries: string[] } {
  try {
    return folder ? { exists: true, entries: readdirSync(folder).sort() } : { exists: false, entries: [] };
  } catch {
    return { exists: false, entries: [] };
  }
}

function nodeFacts(facts: MachineFacts): DoctorReport['node'] {
  return {
    version: process.version,
    ok: facts.nodeProblem === undefined,
    platform: process.platform,
    arch: process.arch,
    threads: availableParallelism(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGB: Math.round(totalmem() / 1e8) / 10,
  };
}

/** Floating-point operations per second of {@link measureSpeed} on the machine the budgets were set on. */
const REFERENCE_SPEED = 1.0e9;
const REFERENCE_THREADS = 2;

function runnables(facts: MachineFacts, speed: number, wasm: DoctorReport['wasm']): Runnable[] {
  const factor = (REFERENCE_SPEED / speed) * Math.max(1, REFERENCE_THREADS / availableParallelism());
  const minutes = (budget: number): number => Math.round(budget * factor * 10) / 10;
  const noJupyter = facts.jupyterlab ? undefined : 'JupyterLab is not installed';
  const noAdapter = facts.adapter.found ? undefined : 'no WebGPU adapter';
  const software = facts.adapter.software
    ? 'the adapter is software: results count, times do not'
    : undefined;
  const noWasm = wasm.simd && wasm.threads ? undefined : 'WebAssembly SIMD or threads are missing';
  return [
    { job: 'tests (npm test)', possible: true, minutes: minutes(10) },
    { job: 'reproduce PAPER --size smoke', possible: !noWasm, minutes: minutes(0.2), why: noWasm },
    { job: 'reproduce PAPER --size lesson', possible: !noWasm, minutes: minutes(15), why: noWasm },
    {
      job: 'reproduce PAPER --size full',
      possible: !noAdapter && !software,
      why: noAdapter ?? software ?? 'hours; --budget limits it',
    },
    { job: 'GPU operators and their tests', possible: !noAdapter, why: noAdapter ?? software },
    { job: 'notebooks in JupyterLab (npm start)', possible: !noJupyter, why: noJupyter },
    {
      job: 'notebooks without Jupyter (assay run)',
      possible: facts.assayKernel,
      why: facts.assayKernel ? undefined : 'the kernel is not built',
    },
    {
      job: 'notebooks on stock tslab (--kernel tslab)',
      possible: facts.tslab !== null,
      why: facts.tslab ? undefined : 'tslab is not installed',
    },
  ];
}

function adviceFor(facts: MachineFacts, data: DoctorReport['data'], wasm: DoctorReport['wasm']): string[] {
  const advice: string[] = [];
  if (facts.nodeProblem) advice.push(facts.nodeProblem);
  if (!facts.adapter.found)
    advice.push(
      `No WebGPU adapter (${facts.adapter.reason ?? 'unknown reason'}): everything runs on the CPU instead.`,
    );
  else if (facts.adapter.software)
    advice.push('The WebGPU adapter is software: good for tests, slow for work. A GPU driver makes it fast.');
  advice.push(...facts.system.gaps);
  if (facts.system.command) advice.push(`As administrator: ${facts.system.command}`);
  if (facts.pythonAdvice) advice.push(facts.pythonAdvice);
  if (!facts.jupyterlab && facts.python)
    advice.push('JupyterLab is not installed yet: `npm start` installs it into .venv.');
  if (!facts.assayKernel)
    advice.push('The kernel is not built yet: `npm start`, `npm test` or `node kernel/build.mjs` builds it.');
  else if (facts.venv && !facts.kernels.includes('assay'))
    advice.push('The kernel is not registered in .venv: `npm start` or `assay jupyter install` does it.');
  if (!facts.tslab) advice.push('tslab is not installed yet: `npm start` or `npm test` installs it.');
  if (!wasm.simd || !wasm.threads) advice.push('WebAssembly lacks SIMD or threads: use Node 20.19 or newer.');
  if (data.ASSAY_DATA === null)
    advice.push('ASSAY_DATA is not set: texts come from `assay data pull`, or generated text is used.');
  else if (!data.exists)
    advice.push(`ASSAY_DATA names ${data.ASSAY_DATA}, which is not a folder that can be read.`);
  return advice;
}

/** Lines for people. */
function describe(report: DoctorReport): string[] {
  const { node, adapter, wasm, python, jupyter, data } = report;
  const yes = (value: boolean): string => (value ? 'yes' : 'NO');
  const gpu = adapter ? adapter.description || adapter.device : 'none';
  return [
    `Node      ${node.version} on ${node.platform} ${node.arch}, ${node.threads} threads, ${node.memoryGB} GB (${node.cpu})`,
    `Adapter   ${gpu}${adapter?.software ? ' (software)' : ''}`,
    ...(adapter ? [`          ${report.features.length} features; ${limitsLine(report.limits)}`] : []),
    `WASM      SIMD ${yes(wasm.simd)}, threads ${yes(wasm.threads)}`,
    `Python    ${python ? `${python.version} (${python.executable})` : 'none usable'}`,
    `Jupyter   JupyterLab ${jupyter.jupyterlab ?? 'none'}, in .venv registered: ${jupyter.kernels.join(', ') || 'no kernels'}`,
    `Kernels   assay ${jupyter.assay ? 'built' : 'not built'}, tslab ${jupyter.tslab ?? 'not installed'}`,
    `Data      ${data.ASSAY_DATA ?? 'ASSAY_DATA is not set'}${data.entries.length ? `: ${data.entries.join(', ')}` : ''}`,
    '',
    'What can run here (minutes are estimates):',
    ...report.runs.map(({ job, possible, minutes, why }) => {
      const time = minutes !== undefined ? `about ${minutes} min at most` : '';
      return `  ${possible ? 'yes' : 'no '}  ${job.padEnd(40)} ${[time, why].filter(Boolean).join('; ')}`.trimEnd();
    }),
    ...section('What to do:', report.advice),
    ...section('To take back what set-up installed on this system:', report.undo),
  ];
}

function section(title: string, lines: string[]): string[] {
  return lines.length ? ['', title, ...lines.map((line) => `  - ${line}`)] : [];
}

function limitsLine(limits: Record<string, number>): string {
  const megabytes = (name: string): string => `${Math.round((limits[name] ?? 0) / 2 ** 20)} MiB`;
  return (
    `buffers up to ${megabytes('maxBufferSize')}, bindings up to ${megabytes('maxStorageBufferBindingSize')}, ` +
    `${limits['maxComputeInvocationsPerWorkgroup']} invocations, ${limits['maxComputeWorkgroupStorageSize']} bytes of workgroup memory`
  );
}

/** WebAssembly features the fast CPU backend needs, each asked by validating a module that uses it. */
export function wasmFeatures(): { simd: boolean; threads: boolean } {
  const header = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
  // type () -> v128; one function: i32.const 0, i8x16.splat
  const simd = [1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 10, 8, 1, 6, 0, 0x41, 0, 0xfd, 15, 0x0b];
  // a shared memory of one page
  const threads = [5, 4, 1, 3, 1, 1];
  const valid = (body: number[]): boolean => WebAssembly.validate(new Uint8Array([...header, ...body]));
  return { simd: valid(simd), threads: valid(threads) && typeof SharedArrayBuffer !== 'undefined' };
}

/** Operations per second of a small matrix product in plain TypeScript on one thread, best of a quarter second. */
export function measureSpeed(size = 96): number {
  const a = new Float32Array(size * size).fill(0.5);
  const b = new Float32Array(size * size).fill(0.25);
  const c = new Float32Array(size * size);
  let best = 0;
  const end = performance.now() + 250;
  while (performance.now() < end) {
    const start = performance.now();
    for (let i = 0; i < size; i++)
      for (let k = 0; k < size; k++) {
        const x = a[i * size + k];
        for (let j = 0; j < size; j++) c[i * size + j] += x * b[k * size + j];
      }
    best = Math.max(best, (2 * size ** 3) / ((performance.now() - start) / 1000));
  }
  return best;
}
