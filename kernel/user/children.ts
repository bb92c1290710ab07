/** Child processes of cells: told to the server, which ends those alive at shutdown; their output goes to the cell. */
import { ChildProcess } from 'node:child_process';
import type { FromUser } from '../threads/messages.js';

type Stdio = unknown;
interface SpawnOptions {
  stdio?: Stdio;
}
type Spawn = (this: ChildProcess, options: SpawnOptions) => number;

/** `inherit` means the kernel's own terminal, which nobody sees: such a stream becomes a pipe to the cell. */
function piped(stdio: Stdio): { stdio: Stdio; shown: number[] } {
  const list: unknown[] =
    typeof stdio === 'string' ? [stdio, stdio, stdio] : Array.isArray(stdio) ? [...(stdio as unknown[])] : [];
  const shown: number[] = [];
  list.forEach((one, fd) => {
    if (fd === 0 && (one === 'inherit' || one === 0)) list[fd] = 'ignore';
    const terminal = one === 'inherit' || one === fd || one === process.stdout || one === process.stderr;
    if (!terminal || (fd !== 1 && fd !== 2)) return;
    list[fd] = 'pipe';
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

/** Watches every child process that is started from now on. */
export function watchChildren(send: (message: FromUser) => void): void {
  const prototype = ChildProcess.prototype as unknown as { spawn: Spawn };
  const { spawn } = prototype;
  prototype.spawn = function (options) {
    const { stdio, shown } = piped(options.stdio);
    const failed = spawn.call(this, { ...options, stdio });
    const { pid } = this;
    if (pid === undefined) return failed;
    forward(this, shown);
    send({ type: 'child', pid, alive: true });
    this.once('exit', () => send({ type: 'child', pid, alive: false }));
    return failed;
  };
}
