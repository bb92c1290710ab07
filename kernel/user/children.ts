/** Child processes of cells: told to the server, which ends those alive at shutdown; their output goes to the cell. */
import childProcess, { ChildProcess } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FromUser } from '../threads/messages.js';

type Stdio = unknown;
interface SpawnOptions {
  stdio?: Stdio;
}
type Spawn = (this: ChildProcess, options: SpawnOptions) => number;

/** `inherit` means the kernel's own terminal, which nobody sees: such a stream becomes `instead`, for the cell. */
function piped(stdio: Stdio, instead: (fd: number) => unknown): { stdio: Stdio; shown: number[] } {
  const list: unknown[] =
    typeof stdio === 'string' ? [stdio, stdio, stdio] : Array.isArray(stdio) ? [...(stdio as unknown[])] : [];
  const shown: number[] = [];
  list.forEach((one, fd) => {
    if (fd === 0 && (one === 'inherit' || one === 0)) list[fd] = 'ignore';
    const terminal = one === 'inherit' || one === fd || one === process.stdout || one === process.stderr;
    if (!terminal || (fd !== 1 && fd !== 2)) return;
    list[fd] = instead(fd);
    shown.push(one === process.stdout ? 1 : one === process.stderr ? 2 : fd);
  });
  return shown.length > 0 || list[0] === 'ignore' ? { stdio: list, shown } : { stdio, shown };
}

function forward(child: ChildProcess, shown: readonly number[]): void {
  for (const fd of shown) {
    const from = child.stdio[fd];
    const to = fd === 1 ? process.stdout : process.stderr;
    if (from && 'on' in from) from.on('data', (bytes: Uint8Array) => void to.write(bytes));
  }
}

type Sync = (...parameters: unknown[]) => unknown;

/** Temporary files that take what a program prints while this thread waits for it; shown when it has ended. */
class Printed {
  private readonly folder = mkdtempSync(join(tmpdir(), 'assay-printed-'));
  private readonly files = new Map<number, number>();

  open(fd: number): number {
    const file = openSync(join(this.folder, String(fd)), 'w+');
    this.files.set(fd, file);
    return file;
  }

  show(): void {
    for (const [fd, file] of this.files) {
      closeSync(file);
      (fd === 1 ? process.stdout : process.stderr).write(readFileSync(join(this.folder, String(fd))));
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** execSync and its kin start programs without ChildProcess. A file changes neither their results nor their limits. */
function showSync(original: Sync): Sync {
  return function (this: unknown, ...parameters) {
    const at = parameters.findIndex((one, i) => i > 0 && isOptions(one));
    const options = (parameters[at] ?? {}) as SpawnOptions;
    let printed: Printed | undefined;
    const { stdio } = piped(options.stdio, (fd) => (printed ??= new Printed()).open(fd));
    if (at >= 0) parameters[at] = { ...options, stdio };
    try {
      return Reflect.apply(original, this, parameters);
    } finally {
      printed?.show();
    }
  };
}

function isOptions(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Watches every child process that is started from now on. */
export function watchChildren(send: (message: FromUser) => void): void {
  const prototype = ChildProcess.prototype as unknown as { spawn: Spawn };
  const { spawn } = prototype;
  prototype.spawn = function (options) {
    const { stdio, shown } = piped(options.stdio, () => 'pipe');
    const failed = spawn.call(this, { ...options, stdio });
    const { pid } = this;
    if (pid === undefined) return failed;
    forward(this, shown);
    send({ type: 'child', pid, alive: true });
    this.once('exit', () => send({ type: 'child', pid, alive: false }));
    return failed;
  };
  const functions = childProcess as unknown as Record<string, Sync>;
  for (const name of ['spawnSync', 'execSync', 'execFileSync']) functions[name] = showSync(functions[name]);
  syncBuiltinESMExports();
}
