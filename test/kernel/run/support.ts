/** What tests of running notebooks share: notebooks in memory, a kernelspec of the kernel under test, servers. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { Cell, Notebook, NotebookResult, Output } from '../../../kernel/run/notebook.js';
import { assayKernelspec } from '../../../kernel/setup/decide.mjs';
import { kernelDist } from '../../support/kernel-dist.js';
import { root } from '../../structure/support.js';

export function codeCell(source: string, ...tags: string[]): Cell {
  return { cell_type: 'code', source, metadata: tags.length ? { tags } : {}, outputs: [] };
}

export function notebookOf(...cells: (Cell | string)[]): Notebook {
  return {
    cells: cells.map((cell) => (typeof cell === 'string' ? codeCell(cell) : cell)),
    metadata: {},
    nbformat: 4,
    nbformat_minor: 5,
  };
}

export const outputsOf = (result: NotebookResult, cell: number): Output[] =>
  result.notebook.cells[cell].outputs ?? [];

/** Everything a cell wrote to its streams. */
export const textOf = (result: NotebookResult, cell: number): string =>
  outputsOf(result, cell)
    .map((output) => (output.output_type === 'stream' ? output.text : ''))
    .join('');

/** The compiled kernel's entry, where one is built. */
export function builtKernel(): string | undefined {
  try {
    return join(kernelDist(), 'kernel', 'user', 'main.js');
  } catch {
    return undefined;
  }
}

/** A folder for JUPYTER_PATH with the kernel under test as "assay". */
export function kernelspecFolder(folder: string, entry: string): string {
  const jupyter = join(folder, 'jupyter');
  const spec = assayKernelspec(process.execPath, root, join);
  mkdirSync(join(jupyter, 'kernels', 'assay'), { recursive: true });
  const argv = [process.execPath, entry, '{connection_file}'];
  writeFileSync(join(jupyter, 'kernels', 'assay', 'kernel.json'), JSON.stringify({ ...spec, argv }));
  return jupyter;
}

/** Python of a virtual environment, where there is one. */
export function pythonOf(venv: string): string | undefined {
  return [join(venv, 'bin', 'python'), join(venv, 'Scripts', 'python.exe')].find((file) => existsSync(file));
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

/** A server as a child process, killed hard and started again at the same address at will. */
export class ServerProcess {
  private child: ChildProcess | undefined;
  private printed = '';

  constructor(
    private readonly python: string,
    private readonly args: readonly string[],
    private readonly env: Record<string, string>,
    readonly url: string,
  ) {}

  async start(): Promise<void> {
    const child = spawn(this.python, [...this.args], {
      env: { ...process.env, ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => (this.printed += data.toString()));
    for (let i = 0; i < 600 && child.exitCode === null; i++) {
      const answer = await fetch(`${this.url}api`).catch(() => undefined);
      if (answer && answer.status < 500) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the server did not start:\n${this.printed}`);
  }

  /** As a crash of its machine; kernels notice that their parent is gone. */
  async kill(): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }
}
