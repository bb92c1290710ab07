/** `assay jupyter install|uninstall`: registers the project's kernels with a Jupyter installation. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, relative, resolve } from 'node:path';
import { loadSetup, type KernelName, type Registration, type SetupModules } from './setup-bridge.js';
import { UsageError, parseVerbArgs, type Verb, type VerbContext } from './verb.js';

const KERNELS: Readonly<Record<string, readonly KernelName[]>> = {
  assay: ['assay'],
  tslab: ['tslab'],
  both: ['assay', 'tslab'],
};

const OPTIONS = {
  user: { type: 'boolean' },
  'sys-prefix': { type: 'boolean' },
  prefix: { type: 'string' },
  kernel: { type: 'string' },
  node: { type: 'string' },
  json: { type: 'boolean' },
} as const;

export const verb: Verb = {
  name: 'jupyter',
  summary: 'register the TypeScript kernels with a Jupyter installation, remove them, or time them',
  usage: `Usage: assay jupyter install|uninstall [--user | --sys-prefix | --prefix DIR] [--kernel NAME] [--json]
       assay jupyter bench [--rounds N] [--starts N] [--cells N] [--json]

Writes (or removes) the kernelspecs "assay" and "tslab" where a Jupyter installation finds them. They name this
project's folder and a Node; nothing else is copied, and a running kernel writes nothing into the project.

  (default)      the project's own .venv
  --user         every Jupyter of this user
  --sys-prefix   the Python that answers to \`python3\` here (an active virtual or conda environment)
  --prefix DIR   the installation at DIR: /usr/local, or the environment that a JupyterHub starts its users' servers in
  --kernel NAME  assay, tslab or both (default)
  --node PATH    the Node that runs the kernels (default: the one that runs this command)
  --json         print {"action", "kernelspecs", "notes"}

bench times both kernels side by side in one run: start, cells, memory (see docs/jupyter-kernel.md). Other work on
the machine makes all of it longer: read the ratios.

  --rounds N     repetitions of each cell (default 50)
  --starts N     starts of each kernel (default 5)
  --cells N      cells of the memory run, 0 to leave it out (default 1000)`,
  async run(args, context) {
    if (args[0] === 'bench') return (await import('./jupyter-bench.js')).bench(args.slice(1), context);
    const { values, positionals } = parseVerbArgs({ args, allowPositionals: true, options: OPTIONS });
    const [action] = positionals;
    if (positionals.length !== 1 || (action !== 'install' && action !== 'uninstall'))
      throw new UsageError('say install, uninstall or bench');
    const places = [values.user, values['sys-prefix'], values.prefix !== undefined].filter(Boolean);
    if (places.length > 1) throw new UsageError('--user, --sys-prefix and --prefix exclude each other');
    const kernel = values.kernel ?? 'both';
    if (!Object.hasOwn(KERNELS, kernel))
      throw new UsageError(`--kernel must be assay, tslab or both, got "${kernel}"`);
    const setup = await loadSetup(context.root);
    const prefix = prefixOf(values, setup);
    const jupyter = setup.registration.folder({ prefix });
    const job = { jupyter, names: KERNELS[kernel], named: values.kernel !== undefined };
    const node = resolve(values.node ?? process.execPath);
    const { kernelspecs, notes } =
      action === 'install'
        ? install(setup.registration, { ...job, node })
        : uninstall(setup.registration, job);
    if (action === 'install' && prefix !== setup.venv) notes.push(...sharedNotes(context, jupyter, node));
    if (values.json) context.json({ action, kernelspecs, notes });
    else report(action, kernelspecs, notes, context);
    return 0;
  },
};

/** The installation's prefix; undefined for the user's own folder. */
function prefixOf(
  values: { user?: boolean; 'sys-prefix'?: boolean; prefix?: string },
  setup: SetupModules,
): string | undefined {
  if (values.user) return undefined;
  if (values.prefix !== undefined) return resolve(values.prefix);
  if (values['sys-prefix']) return systemPrefix();
  if (!setup.venvExists())
    throw new Error(
      'there is no .venv yet: run `npm start` once, or name an installation with --user, --sys-prefix or --prefix DIR',
    );
  return setup.venv;
}

interface Job {
  readonly jupyter: string;
  readonly names: readonly KernelName[];
  /** The kernel was asked for by its name, not only as one of both. */
  readonly named: boolean;
}

interface Done {
  readonly kernelspecs: string[];
  readonly notes: string[];
}

function install(registration: Registration, { jupyter, names, named, node }: Job & { node: string }): Done {
  const done: Done = { kernelspecs: [], notes: [] };
  if (!existsSync(node)) throw new Error(`--node: ${node} must be a program, got nothing there`);
  for (const name of names) {
    const missing = registration.missing(name);
    const foreign = registration.owner(jupyter, name) === 'somebody else';
    if (missing !== undefined && named) throw new Error(missing);
    if (missing !== undefined) done.notes.push(`left out: ${missing}`);
    else if (foreign && !named)
      done.notes.push(`left as it is: a "${name}" of another origin (--kernel ${name} replaces it)`);
    else done.kernelspecs.push(registration.register(jupyter, name, node));
  }
  return done;
}

function uninstall(registration: Registration, { jupyter, names, named }: Job): Done {
  const done: Done = { kernelspecs: [], notes: [] };
  for (const name of names) {
    const owner = registration.owner(jupyter, name);
    if (owner === 'nobody') continue;
    if (owner === 'somebody else' && !named)
      done.notes.push(`left as it is: a "${name}" of another origin (--kernel ${name} removes it)`);
    else done.kernelspecs.push(registration.remove(jupyter, name));
  }
  if (done.kernelspecs.length === 0 && done.notes.length === 0)
    throw new Error(
      `no kernel ${names.map((name) => `"${name}"`).join(' or ')} is registered under ${jupyter}`,
    );
  return done;
}

/** Where others shall use the kernel, what they must be able to read. */
function sharedNotes({ root }: VerbContext, jupyter: string, node: string): string[] {
  const home = homedir();
  if (isInside(home, jupyter)) return [];
  const notes: string[] = [];
  for (const [what, path] of [
    ['this project', root],
    ['Node', node],
  ])
    if (isInside(home, path))
      notes.push(
        `${what} is in your home folder (${path}): other users can start the kernel only if they may read it`,
      );
  return notes;
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return !way.startsWith('..') && !isAbsolute(way);
}

function report(
  action: string,
  kernelspecs: string[],
  notes: string[],
  { out, progress }: VerbContext,
): void {
  for (const folder of kernelspecs) out(`${action === 'install' ? 'registered' : 'removed'} ${folder}`);
  for (const note of notes) progress(note);
}

function systemPrefix(): string {
  for (const command of process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python']) {
    const { status, stdout } = spawnSync(command, ['-c', 'import sys; print(sys.prefix)'], {
      encoding: 'utf8',
    });
    if (status === 0 && stdout.trim()) return stdout.trim();
  }
  throw new Error('no Python answers here: name the installation with --prefix DIR');
}
