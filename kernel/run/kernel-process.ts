/** A kernel as a child process: its output kept for error messages, never outliving the process that made it. */
import { spawn, type ChildProcess } from 'node:child_process';

export interface ProcessOptions {
  /** A compiled kernel entry (kernel/user/main.js), run with this Node. */
  readonly entry?: string;
  /** Any kernel's command as its kernelspec gives it; `{connection_file}` is filled in. */
  readonly argv?: readonly string[];
  readonly cwd?: string;
  /** On top of this process's environment; undefined takes a variable away. */
  readonly env?: Record<string, string | undefined>;
}

/** What the kernel printed outside cells is kept to this length. */
const OUTPUT_CHARS = 64 * 1024;

const running = new Set<KernelProcess>();
process.once('exit', () => {
  for (const kernel of running) kernel.kill();
});

/** What a client knows of its kernel's process. */
export interface KernelHandle {
  readonly process: ChildProcess;
  readonly alive: boolean;
  /** Resolves when the process is gone (or could not be started). */
  readonly exited: Promise<void>;
  /** What the kernel wrote to its own stdout and stderr, the end of it. */
  readonly output: string;
  kill(): void;
}

/** A kernel somebody else started: it is only talked to. */
export class RunningKernel implements KernelHandle {
  readonly alive = true;
  readonly output = '';
  private end: () => void = () => {};
  readonly exited = new Promise<void>((resolve) => (this.end = resolve));

  get process(): ChildProcess {
    throw new Error('KernelClient.process: the kernel must be launched by this client, got an attached one');
  }

  kill(): void {
    this.end();
  }
}

/** A launched kernel. */
export class KernelProcess implements KernelHandle {
  readonly process: ChildProcess;
  readonly exited: Promise<void>;
  output = '';
  private ended = false;

  constructor(connectionFile: string, options: ProcessOptions) {
    const [command, ...rest] = commandOf(options, connectionFile);
    this.process = spawn(command, rest, {
      cwd: options.cwd,
      // A group of its own: Ctrl-C in a terminal is for the client, which then says what shall happen.
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      env: { ...process.env, JPY_PARENT_PID: String(process.pid), ...options.env },
    });
    const keep = (chunk: Buffer) => (this.output = (this.output + chunk.toString()).slice(-OUTPUT_CHARS));
    this.process.stdout?.on('data', keep);
    this.process.stderr?.on('data', keep);
    running.add(this);
    this.exited = new Promise((resolve) => {
      const end = () => {
        this.ended = true;
        running.delete(this);
        resolve();
      };
      this.process.once('exit', end);
      this.process.once('error', (error) => {
        this.output += error.message;
        if (this.process.pid === undefined) end();
      });
    });
  }

  get alive(): boolean {
    return !this.ended;
  }

  /** Ends the process and what it started in its group. */
  kill(): void {
    const { pid } = this.process;
    if (this.ended || pid === undefined) return;
    try {
      if (process.platform !== 'win32') process.kill(-pid, 'SIGKILL');
    } catch {
      // Already gone; the next line is harmless then.
    }
    this.process.kill('SIGKILL');
  }
}

function commandOf(options: ProcessOptions, connectionFile: string): string[] {
  if (options.argv)
    return options.argv.map((part) => part.replaceAll('{connection_file}', () => connectionFile));
  if (options.entry) return [process.execPath, options.entry, connectionFile];
  throw new TypeError('KernelClient.launch: options must name entry or argv, got neither');
}
