/** Programs that magic lines start: npm and shells, with their output in the cell and ended by its interrupt. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Execution } from './executions.js';

const WINDOWS = process.platform === 'win32';

/** The nearest folder at or above `folder` with a package.json, else `folder`. */
export function packageFolder(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
    if (dirname(at) === at) return folder;
  }
}

/** True when a program of this name is on the path. */
function found(name: string): boolean {
  const names = WINDOWS ? [`${name}.exe`, `${name}.cmd`] : [name];
  return (process.env.PATH ?? '')
    .split(delimiter)
    .some((folder) => folder !== '' && names.some((file) => existsSync(join(folder, file))));
}

interface Program {
  readonly command: string;
  readonly parameters: readonly string[];
  readonly folder: string;
  readonly stdin?: string;
  /** npm is a script on Windows, which only a shell starts. */
  readonly shell?: boolean;
}

/** Runs a program; its output is the cell's. @returns its exit code, or the signal that ended it */
function run(program: Program, execution: Execution): Promise<number | string> {
  const { command, parameters, folder, stdin = '', shell = false } = program;
  return new Promise((resolve, reject) => {
    const child = spawn(command, parameters, { cwd: folder, shell, stdio: ['pipe', 'pipe', 'pipe'] });
    const stop = (): void => void child.kill();
    execution.signal.addEventListener('abort', stop, { once: true });
    child.stdout.on('data', (bytes: Uint8Array) => void process.stdout.write(bytes));
    child.stderr.on('data', (bytes: Uint8Array) => void process.stderr.write(bytes));
    // A program that does not read its input closes the pipe.
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      execution.signal.removeEventListener('abort', stop);
      resolve(code ?? signal ?? 1);
    });
  });
}

/** Names, versions, tags, addresses and options; nothing a shell would take for something else. */
const ARGUMENT = /^[\w@./:~^+=#-]+$/;

/** `%install a b@2`: npm install in the notebook's project. */
export async function install(
  packages: readonly string[],
  folder: string,
  execution: Execution,
): Promise<void> {
  if (packages.length === 0)
    throw new Error('%install: needs names of packages, got none; write %install arquero');
  const odd = packages.find((one) => !ARGUMENT.test(one));
  if (odd !== undefined) throw new Error(`%install: a package must be a name or a name@version, got ${odd}`);
  const where = packageFolder(folder);
  const parameters = ['install', '--no-audit', '--no-fund', ...packages];
  const code = await run({ command: 'npm', parameters, folder: where, shell: WINDOWS }, execution);
  if (code !== 0)
    throw new Error(
      `%install: npm install must succeed in ${where}, got exit code ${code}; npm says why above`,
    );
}

/** `%%bash` and `%%sh`: the cell is a program of the shell. */
export async function runShell(
  name: 'bash' | 'sh',
  script: string,
  folder: string,
  execution: Execution,
): Promise<void> {
  if (!found(name)) throw new Error(`%%${name}: needs ${name} on the path, got none on this machine`);
  const code = await run({ command: name, parameters: ['-s'], folder, stdin: script }, execution);
  if (code !== 0) throw new Error(`%%${name}: the program must end with exit code 0, got ${code}`);
}
