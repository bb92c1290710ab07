/** A program in PyTorch, in a process of its own that answers lines with lines. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CancelledError } from '../../../lib/core/errors.js';
import type { Dims } from '../../../lib/core/shape.js';
import type { Sampler } from '../measure.js';
import { samplesFor, type Opponent, type Opponents } from './opponent.js';

/** What a program computes: its forms, and the sizes a request names. */
export interface TorchProgram {
  /** Arguments of its script. */
  args?: readonly string[];
  forms: readonly string[];
  sizes: readonly string[];
}

const SHORTEST_SAMPLE_MS = 5;
/** Relative difference from double precision above which a form is not an opponent. */
const TOLERANCE = 1e-5;

/** Commands that may be a Python; ASSAY_PYTHON comes first. */
function pythons(): string[][] {
  const chosen = process.env['ASSAY_PYTHON'];
  const launcher = process.platform === 'win32' ? [['py', '-3']] : [];
  return [...(chosen ? [[chosen]] : []), ['python3'], ['python'], ...launcher];
}

interface Hello {
  torch: string;
  python: string;
  /** null when it is not a number. */
  difference: number | null;
}

/** A process whose every line answers one of ours. */
class Server {
  private readonly answers: AsyncIterator<string>;
  private ended = false;

  constructor(private readonly child: ChildProcessWithoutNullStreams) {
    this.answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    // A process that is not there, and one that ends early, are seen as the end of its lines.
    child.on('error', () => (this.ended = true));
    child.on('exit', () => (this.ended = true));
    child.stdin.on('error', () => (this.ended = true));
    child.stderr.resume();
  }

  async next<T>(): Promise<T> {
    const answer = await this.answers.next();
    if (answer.done) throw new Error('the process ended');
    return JSON.parse(answer.value) as T;
  }

  ask<T>(request: unknown): Promise<T> {
    if (this.ended) throw new Error('the process ended');
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    return this.next<T>();
  }

  end(): void {
    this.child.kill();
  }
}

async function start(
  script: readonly string[],
  candidates: readonly (readonly string[])[],
): Promise<{ server: Server; hello: Hello; command: string } | undefined> {
  for (const [command, ...rest] of candidates) {
    const server = new Server(spawn(command, [...rest, ...script], { windowsHide: true }));
    try {
      return { server, hello: await server.next<Hello>(), command };
    } catch {
      server.end();
    }
  }
  return undefined;
}

function opponent(
  server: Server,
  form: string,
  names: readonly string[],
  threads: number,
  signal: AbortSignal | undefined,
): Opponent {
  const ask = async (dims: Dims, direction: string, calls: number): Promise<number> => {
    if (signal?.aborted) throw new CancelledError('bench: cancelled');
    const sizes = Object.fromEntries(names.map((name) => [name, dims[name]]));
    const answer = await server.ask<{ ms?: number; error?: string }>({
      ...sizes,
      ...{ form, direction, threads, calls },
    });
    if (answer.ms === undefined) throw new Error(answer.error);
    return answer.ms;
  };
  return {
    name: `PyTorch ${form}`,
    form,
    threads,
    fits: ({ G = 1, H }) => G === 1 || G === H,
    async sampler(dims, direction, longestMs): Promise<Sampler> {
      const first = await ask(dims, direction, 1);
      // The first call fills caches of the allocator; only short work is worth a second look.
      const once = first < 1000 ? await ask(dims, direction, 1) : first;
      const calls = Math.max(1, Math.ceil(SHORTEST_SAMPLE_MS / once));
      return { once, samples: samplesFor(once * calls, longestMs), take: () => ask(dims, direction, calls) };
    },
  };
}

/** Starts the first Python that has PyTorch (ASSAY_PYTHON first); the forms are opponents at every thread count. */
export async function openTorch(
  script: string,
  threads: readonly number[],
  program: TorchProgram,
  options: { candidates?: readonly (readonly string[])[]; signal?: AbortSignal } = {},
): Promise<Opponents> {
  const { candidates = pythons(), signal } = options;
  const started = await start([script, ...(program.args ?? [])], candidates);
  if (!started) {
    const tried = candidates.map((words) => words.join(' ')).join(', ');
    return {
      list: [],
      notes: [`PyTorch: not run, none of ${tried} can import torch; ASSAY_PYTHON names one that can`],
      dispose: () => undefined,
    };
  }
  const { server, hello } = started;
  const dispose = () => server.end();
  const about = `PyTorch: ${hello.torch} with Python ${hello.python}`;
  if (typeof hello.difference !== 'number' || !(hello.difference < TOLERANCE)) {
    dispose();
    return {
      list: [],
      notes: [`${about}: not run, its forms differ from double precision by ${hello.difference}`],
      dispose: () => undefined,
    };
  }
  const list = threads.flatMap((count) =>
    program.forms.map((form) => opponent(server, form, program.sizes, count, signal)),
  );
  return { list, notes: [about], dispose };
}
