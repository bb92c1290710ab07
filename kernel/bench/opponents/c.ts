/** The scan in C, compiled here: once for any processor of this kind, once for this one. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Dims } from '../../../lib/core/shape.js';
import type { Sampler } from '../measure.js';
import { samplesFor, type Opponent, type Opponents } from './opponent.js';

const run = promisify(execFile);

const COMPILERS = ['gcc', 'cc', 'clang'];
const TARGETS = [[], ['-march=native']];
/** What the program can be asked for: see its usage. */
const STEP = 16;
const BLOCK = 64;
const MOST_STATES = 256;
const SHORTEST_SAMPLE_MS = 20;
const MOST_REPEATS = 7;

interface Answer {
  lanes: number;
  forward_ms: number;
  forward_backward_ms: number;
}

interface Times {
  forward: number;
  'forward+backward': number;
}

/** Runs the program; it compares itself with double precision every time and fails when it is wrong. */
async function ask(
  program: string,
  { T, D, N }: Dims,
  repeats: number,
  signal?: AbortSignal,
): Promise<Times> {
  const { stdout } = await run(program, [T, D, N, repeats].map(String), signal ? { signal } : {});
  const answer = JSON.parse(stdout) as Answer;
  return { forward: answer.forward_ms, 'forward+backward': answer.forward_backward_ms };
}

/** One run of the program gives both directions: what one does not need waits for the other. */
class Program {
  private readonly waiting = new Map<string, number[]>();

  constructor(
    private readonly path: string,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async sampler(dims: Dims, direction: keyof Times, longestMs: number): Promise<Sampler> {
    const begun = performance.now();
    const first = await ask(this.path, dims, 1, this.signal);
    const whole = performance.now() - begun;
    const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.ceil(SHORTEST_SAMPLE_MS / first.forward)));
    return {
      once: first[direction],
      samples: samplesFor(whole + repeats * (first.forward + first['forward+backward']), longestMs),
      take: () => this.take(dims, direction, repeats),
    };
  }

  private async take(dims: Dims, direction: keyof Times, repeats: number): Promise<number> {
    const key = (of: string) => `${of} ${JSON.stringify(dims)}`;
    const known = this.waiting.get(key(direction))?.shift();
    if (known !== undefined) return known;
    const times = await ask(this.path, dims, repeats, this.signal);
    for (const other of ['forward', 'forward+backward'] as const)
      if (other !== direction)
        this.waiting.set(key(other), [...(this.waiting.get(key(other)) ?? []), times[other]]);
    return times[direction];
  }
}

function version(compiler: string): string | undefined {
  try {
    const text = execFileSync(compiler, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.split('\n')[0].trim();
  } catch {
    return undefined;
  }
}

/** Compiles `source` into a temporary folder with the first compiler there is. */
export async function openC(
  source: string,
  options: { compilers?: readonly string[]; signal?: AbortSignal } = {},
): Promise<Opponents> {
  const { compilers = COMPILERS, signal } = options;
  const compiler = compilers.find((name) => version(name) !== undefined);
  if (!compiler)
    return {
      list: [],
      notes: [`C: not run, none of ${compilers.join(', ')} is installed`],
      dispose: () => undefined,
    };
  const folder = mkdtempSync(join(tmpdir(), 'assay bench '));
  const list: Opponent[] = [];
  const notes = [`C: ${version(compiler)}`];
  for (const target of TARGETS) {
    const flags = ['-O3', ...target];
    const path = join(folder, `scan${list.length}`);
    const name = `C ${flags.join(' ')}`;
    try {
      await run(compiler, [...flags, '-o', path, source, '-lm']);
      const small = await run(path, ['64', '64', '4', '1']);
      notes.push(`${name}: ${(JSON.parse(small.stdout) as Answer).lanes} lanes`);
    } catch (error) {
      notes.push(
        `${name}: not run, ${String((error as { stderr?: string }).stderr || error).split('\n')[0]}`,
      );
      continue;
    }
    const program = new Program(path, signal);
    list.push({
      name,
      form: 'recurrent',
      threads: 1,
      fits: ({ B, T, D, N, G = 1 }) =>
        B === 1 && G === 1 && T >= STEP && T % STEP === 0 && D % BLOCK === 0 && N <= MOST_STATES,
      sampler: (dims, direction, longestMs) => program.sampler(dims, direction as keyof Times, longestMs),
    });
  }
  return { list, notes, dispose: () => rmSync(folder, { recursive: true, force: true }) };
}
