/** `assay run NOTEBOOK...`: executes notebooks and whole tables of parameter sets, here or through a Jupyter server. */
import { availableParallelism } from 'node:os';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { mkdirSync, writeFileSync } from 'node:fs';
import { kernelMetadata, OWN_KERNEL_TAG } from '../run/notebook.js';
import type { NotebookKernel } from '../run/notebook-kernel.js';
import type { PlannedRun } from '../run/plan.js';
import type { GivenParameters } from '../run/parameter-files.js';
import type { RunRow } from '../run/records.js';
import type { RunAllOptions } from '../run/run-all.js';
import { UsageError, parseVerbArgs, positiveNumber, type Verb, type VerbContext } from './verb.js';

const DEFAULT_TIMEOUT_S = 900;
const DEFAULT_RETRIES = 6;

const OPTIONS = {
  out: { type: 'string' },
  timeout: { type: 'string' },
  'notebook-timeout': { type: 'string' },
  kernel: { type: 'string' },
  jobs: { type: 'string' },
  param: { type: 'string', short: 'p', multiple: true },
  parameters: { type: 'string' },
  force: { type: 'boolean' },
  server: { type: 'string' },
  token: { type: 'string' },
  'server-folder': { type: 'string' },
  retries: { type: 'string' },
  json: { type: 'boolean' },
} as const;

type Values = ReturnType<typeof parse>['values'];

function parse(args: string[]) {
  return parseVerbArgs({ args, allowPositionals: true, options: OPTIONS });
}

export const verb: Verb = {
  name: 'run',
  summary: 'execute notebooks, one or a table of parameter sets, without Jupyter or through a server',
  usage: `Usage: assay run NOTEBOOK... [options]

Runs every code cell in order on the project's kernel, in the notebook's own folder, and writes the executed
notebook to DIR after each cell. A failing cell or an unhandled rejection ends that notebook: what was shown
until then is saved and the exit code is 1. A cell tagged "raises-exception" may fail, one tagged "skip" is left
out, as is one tagged "assay-kernel" on any other kernel. A notebook whose saved output came from the same code, parameters, versions and data is not run again.

  --out DIR               where executed notebooks go (default: runs/notebooks; never the source's own folder)
  --kernel NAME           assay (default) or tslab; with --server any kernel of that server
  --jobs N                notebooks at a time (default: 1)
  --timeout S             seconds a cell may take (default: ${DEFAULT_TIMEOUT_S}); then it is interrupted
  --notebook-timeout S    seconds a whole notebook may take
  --force                 run also what is done already
  -p, --param NAME=VALUE  set a parameter that the cell tagged "parameters" declares; may be repeated
  --parameters FILE       parameter sets: JSON (an object or a list of objects) or CSV with a header; each row is a
                          run, -p goes on top. All rows end in one table, DIR/NOTEBOOK.runs.json and .csv
  --server URL            run through a Jupyter server or a Jupyter Enterprise Gateway
  --token T               its token (or JUPYTER_TOKEN, or in the URL)
  --server-folder DIR     folder on the server where kernels work (default: the notebook's folder in this project)
  --retries N             attempts after losing the server before giving up (default: ${DEFAULT_RETRIES})
  --json                  print {"notebooks": [{notebook, output, parameters, status, ok, executed, codeCells,
                          seconds, failure?, values}]}`,
  async run(args, context) {
    const { values, positionals } = parse(args);
    const files = notebooksOf(positionals);
    const out = resolve(values.out ?? join(context.root, 'runs', 'notebooks'));
    for (const file of files)
      if (resolve(dirname(file)) === out)
        throw new UsageError(`--out must be another folder than that of ${file}, which would be overwritten`);
    const options = await runOptions(values, context);
    const sets = await parameterSets(values);
    const { planRuns } = await import('../run/plan.js');
    const plan = planRuns(files, sets, out);
    const { runAll } = await import('../run/run-all.js');
    const onRow = (row: RunRow): void => {
      context.progress(lineOf(row));
      if (!values.json && sets.length === 0) context.out(row.output);
    };
    const rows = await runAll(plan, { ...options, onRow });
    if (sets.length > 0) await writeTables(rows, out, context, !values.json);
    if (values.json) context.json({ notebooks: rows });
    return rows.every((row) => row.ok) ? 0 : 1;
  },
};

function notebooksOf(positionals: string[]): string[] {
  if (positionals.length === 0) throw new UsageError('name at least one notebook');
  for (const file of positionals)
    if (!file.endsWith('.ipynb')) throw new UsageError(`${file} must end in .ipynb`);
  return positionals;
}

/** Reads the options that say how; nothing is started yet. */
async function runOptions(values: Values, context: VerbContext): Promise<RunAllOptions> {
  const { root, signal, progress } = context;
  const timeoutMs = (positiveNumber('--timeout', values.timeout) ?? DEFAULT_TIMEOUT_S) * 1000;
  const whole = positiveNumber('--notebook-timeout', values['notebook-timeout']);
  const limits = { timeoutMs, notebookTimeoutMs: whole === undefined ? undefined : whole * 1000 };
  const jobs = wholeNumber('--jobs', values.jobs) ?? 1;
  if (jobs > 2 * availableParallelism() && values.server === undefined)
    progress(
      `--jobs ${jobs} is more than this machine's ${availableParallelism()} threads: times will suffer`,
    );
  const force = values.force ?? false;
  return { root, force, jobs, limits, signal, progress, ...(await kernelSource(values, context)) };
}

type KernelSource = Pick<RunAllOptions, 'kernel' | 'leaveOut' | 'metadata' | 'open' | 'retry'>;

async function kernelSource(values: Values, context: VerbContext): Promise<KernelSource> {
  const { root, signal } = context;
  const kernel = values.kernel ?? 'assay';
  if (values.server !== undefined) return serverSource(values.server, kernel, values, context);
  for (const name of ['token', 'server-folder', 'retries'] as const)
    if (values[name] !== undefined) throw new UsageError(`--${name} needs --server`);
  if (kernel === 'tslab') {
    const { openTslab } = await import('../run/tslab-kernel.js');
    return {
      kernel,
      leaveOut: [OWN_KERNEL_TAG],
      metadata: kernelMetadata(kernel),
      open: ({ folder }) => openTslab(root, folder, signal),
    };
  }
  if (kernel !== 'assay')
    throw new UsageError(`--kernel must be assay or tslab without --server, got "${kernel}"`);
  const { openAssay } = await import('../run/assay-kernel.js');
  return { kernel, metadata: kernelMetadata(kernel), open: ({ folder }) => openAssay({ root, folder }) };
}

async function serverSource(
  address: string,
  kernel: string,
  values: Values,
  context: VerbContext,
): Promise<KernelSource> {
  const { root, signal } = context;
  const { JupyterServer, Patience, consoleAsProgress, serverAddress } =
    await import('../run/jupyter-server.js');
  consoleAsProgress(context.progress);
  const token = values.token ?? (/[?&]token=/.test(address) ? undefined : process.env['JUPYTER_TOKEN']);
  const server = new JupyterServer(serverAddress(address, token));
  const patience = new Patience(
    server,
    wholeNumber('--retries', values.retries, 0) ?? DEFAULT_RETRIES,
    signal,
  );
  const open = async ({ folder }: PlannedRun): Promise<NotebookKernel> => {
    patience.check();
    return server.open(kernel, values['server-folder'], folderInside(root, folder));
  };
  const leaveOut = kernel === 'assay' ? [] : [OWN_KERNEL_TAG];
  return { kernel: `${kernel} on a server`, leaveOut, open, retry: (attempt) => patience.retry(attempt) };
}

/** A folder of the project as a path from its root: what a server that was started there calls it. */
function folderInside(root: string, folder: string): string {
  const path = relative(root, folder);
  return path.startsWith('..') || isAbsolute(path) ? '' : path.split(sep).join('/');
}

function wholeNumber(option: string, text: string | undefined, least = 1): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new UsageError(`${option} must be a whole number of at least ${least}, got "${text}"`);
  return value;
}

/** Parameter sets of the file with those of the command line on top; none when neither is given. */
async function parameterSets(values: Values): Promise<GivenParameters[]> {
  if (values.parameters === undefined && values.param === undefined) return [];
  const { parseAssignment, readParameterFile } = await import('../run/parameter-files.js');
  const own = Object.fromEntries((values.param ?? []).map((text) => parseAssignment(text)));
  const rows = values.parameters === undefined ? [{}] : readParameterFile(values.parameters);
  return rows.map((row) => ({ ...row, ...own }));
}

function lineOf(row: RunRow): string {
  const { failure } = row;
  const where = failure && failure.cell > 0 ? ` in cell ${failure.cell}` : '';
  const end = failure ? `${row.status.toUpperCase()}${where}: ${failure.reason}` : row.status;
  return `${row.output}: ${row.executed} of ${row.codeCells} cells, ${row.seconds} s, ${end}`;
}

/** One table a notebook, as files and for people. */
async function writeTables(rows: RunRow[], out: string, context: VerbContext, print: boolean): Promise<void> {
  const { csvOf, printedTable } = await import('../run/records.js');
  mkdirSync(out, { recursive: true });
  for (const notebook of new Set(rows.map((row) => row.notebook))) {
    const own = rows.filter((row) => row.notebook === notebook);
    const stem = join(out, `${basename(notebook, '.ipynb')}.runs`);
    writeFileSync(`${stem}.json`, JSON.stringify(own, null, 1) + '\n');
    writeFileSync(`${stem}.csv`, csvOf(own));
    if (!print) continue;
    context.out(`${notebook}: ${own.length} runs, table in ${stem}.csv`);
    for (const line of printedTable(own)) context.out(line);
  }
}
