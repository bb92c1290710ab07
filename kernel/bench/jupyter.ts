/** Jupyter kernels side by side in one run: how fast they start, how fast cells are, what a session costs. */
import { readFileSync } from 'node:fs';
import { median } from '../../lib/core/statistics.js';
import { KernelClient } from '../run/kernel-client.js';

export interface BenchedKernel {
  readonly name: string;
  /** Its command; `{connection_file}` is filled in. */
  readonly argv: readonly string[];
  /** Variables that its kernelspec sets. */
  readonly env?: Record<string, string>;
}

export interface JupyterBenchOptions {
  /** Folder the cells run in. */
  readonly folder: string;
  /** Starts of each kernel, in turn. */
  readonly starts: number;
  /** Repetitions of each kind of cell, in turn. */
  readonly rounds: number;
  /** Cells of the memory run; 0 leaves it out. */
  readonly memoryCells: number;
  readonly progress: (line: string) => void;
}

/** Medians, in milliseconds and bytes. */
export interface JupyterBenchRow {
  readonly kernel: string;
  /** From the start of the process to the reply to kernel_info. */
  readonly infoMs: number;
  /** From the start of the process to the end of a first cell `1+1`. */
  readonly firstCellMs: number;
  /** `1+1` again and again. */
  readonly resultMs: number;
  /** A cell that declares a new name and shows a value computed from it. */
  readonly declarationMs: number;
  /** Resident memory after 50 cells and after all; undefined where the system does not tell. */
  readonly memoryEarly?: number;
  readonly memoryLate?: number;
}

const TIMEOUT = { timeoutMs: 120_000 };
/** Cells before anything is timed: the compiler's first checks are no part of a session's everyday. */
const WARM_UP = 12;
const EARLY_CELLS = 50;

/** Measures the kernels in turn within every repetition, so that a slow spell of the machine meets all alike. */
export async function benchJupyter(
  kernels: readonly BenchedKernel[],
  options: JupyterBenchOptions,
): Promise<JupyterBenchRow[]> {
  const starts = await timeStarts(kernels, options);
  const cells = await timeCells(kernels, options);
  const rows: JupyterBenchRow[] = [];
  for (const [i, { name }] of kernels.entries()) {
    const memory = options.memoryCells > 0 ? await sessionMemory(kernels[i], options) : undefined;
    rows.push({
      kernel: name,
      infoMs: median(starts[i].info),
      firstCellMs: median(starts[i].cell),
      resultMs: median(cells[i].result),
      declarationMs: median(cells[i].declaration),
      ...(memory ? { memoryEarly: memory[0], memoryLate: memory[1] } : {}),
    });
  }
  return rows;
}

async function timeStarts(
  kernels: readonly BenchedKernel[],
  { starts, folder, progress }: JupyterBenchOptions,
): Promise<{ info: number[]; cell: number[] }[]> {
  const times = kernels.map(() => ({ info: [] as number[], cell: [] as number[] }));
  for (let round = 0; round < starts; round++) {
    for (const [i, { argv, env, name }] of kernels.entries()) {
      const began = performance.now();
      const client = await KernelClient.launch({ argv, env, cwd: folder });
      times[i].info.push(performance.now() - began);
      await run(client, name, '1+1');
      times[i].cell.push(performance.now() - began);
      await client.shutdown();
    }
    progress(`start ${round + 1} of ${starts}`);
  }
  return times;
}

async function timeCells(
  kernels: readonly BenchedKernel[],
  { rounds, folder, progress }: JupyterBenchOptions,
): Promise<{ result: number[]; declaration: number[] }[]> {
  const clients: KernelClient[] = [];
  const times = kernels.map(() => ({ result: [] as number[], declaration: [] as number[] }));
  try {
    for (const { argv, env } of kernels) clients.push(await KernelClient.launch({ argv, env, cwd: folder }));
    for (const [i, client] of clients.entries())
      for (let k = 0; k < WARM_UP; k++)
        await run(client, kernels[i].name, `const warm${k} = ${k}; warm${k} + 1`);
    for (let round = 0; round < rounds; round++) {
      for (const [i, client] of clients.entries()) {
        const { name } = kernels[i];
        times[i].result.push(await timed(() => run(client, name, '1+1')));
        const code = `const value${round} = ${round} * 2; value${round} + 1`;
        times[i].declaration.push(await timed(() => run(client, name, code)));
      }
    }
    progress(`${rounds} rounds of cells`);
  } finally {
    for (const client of clients) await client.shutdown();
  }
  return times;
}

/** Resident bytes of the kernel after 50 declarations and after all. */
async function sessionMemory(
  { argv, env, name }: BenchedKernel,
  { memoryCells, folder, progress }: JupyterBenchOptions,
): Promise<[number, number] | undefined> {
  const client = await KernelClient.launch({ argv, env, cwd: folder });
  try {
    let early: number | undefined;
    for (let k = 0; k < memoryCells; k++) {
      await run(client, name, `const m${k} = { at: ${k}, half: ${k} / 2 }; m${k}.half`);
      if (k + 1 === EARLY_CELLS) early = residentBytes(client.process.pid);
    }
    const late = residentBytes(client.process.pid);
    progress(`${name}: ${memoryCells} cells in one session`);
    return early === undefined || late === undefined ? undefined : [early, late];
  } finally {
    await client.shutdown();
  }
}

function residentBytes(pid: number | undefined): number | undefined {
  if (process.platform !== 'linux' || pid === undefined) return undefined;
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return line ? Number(line[1]) * 1024 : undefined;
}

async function run(client: KernelClient, name: string, code: string): Promise<void> {
  const { reply } = await client.execute(code, TIMEOUT);
  if (reply?.content['status'] !== 'ok')
    throw new Error(
      `benchJupyter: ${name} must run ${JSON.stringify(code)}, got ${JSON.stringify(reply?.content)}`,
    );
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const ms = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));
const mb = (value: number | undefined): string => (value === undefined ? '' : (value / 1e6).toFixed(0));

/** The rows as a Markdown table; ratios of every kernel to the last are left to the reader of one run. */
export function jupyterTable(rows: readonly JupyterBenchRow[]): string {
  const head = [
    'kernel',
    'kernel_info',
    'first cell',
    '`1+1`',
    'new declaration',
    'memory after 50 cells',
    'after all',
  ];
  const lines = rows.map((r) => [
    r.kernel,
    `${ms(r.infoMs)} ms`,
    `${ms(r.firstCellMs)} ms`,
    `${ms(r.resultMs)} ms`,
    `${ms(r.declarationMs)} ms`,
    mb(r.memoryEarly) && `${mb(r.memoryEarly)} MB`,
    mb(r.memoryLate) && `${mb(r.memoryLate)} MB`,
  ]);
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
