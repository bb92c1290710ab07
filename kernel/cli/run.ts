/** `assay run NOTEBOOK...`: executes notebooks on stock tslab, without Jupyter and without Python. */
import { basename, dirname, join, resolve } from 'node:path';
import { runHeadless } from '../run/headless.js';
import { readNotebook, writeNotebook, type NotebookResult } from '../run/notebook.js';
import { UsageError, parseVerbArgs, positiveNumber, type Verb, type VerbContext } from './verb.js';

const DEFAULT_TIMEOUT_S = 900;

export const verb: Verb = {
  name: 'run',
  summary: 'execute notebooks without Jupyter or Python and save the executed copies',
  usage: `Usage: assay run NOTEBOOK... [--out DIR] [--timeout S] [--json]

Runs every code cell in order on stock tslab, in the notebook's own folder, and writes the executed notebook
to DIR. A failing cell or an unhandled rejection ends that notebook: what was printed until then is saved and
the exit code is 1. A cell tagged "raises-exception" may fail.

  --out DIR     where executed notebooks go (default: runs/notebooks; never the source's own folder)
  --timeout S   seconds a cell may take (default: ${DEFAULT_TIMEOUT_S})
  --json        print {"notebooks": [{notebook, output, ok, executed, codeCells, seconds, failure?}]}`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      allowPositionals: true,
      options: { out: { type: 'string' }, timeout: { type: 'string' }, json: { type: 'boolean' } },
    });
    if (positionals.length === 0) throw new UsageError('name at least one notebook');
    const out = resolve(values.out ?? join(context.root, 'runs', 'notebooks'));
    const timeoutMs = (positiveNumber('--timeout', values.timeout) ?? DEFAULT_TIMEOUT_S) * 1000;
    const targets = outputFiles(positionals, out);
    const report = [];
    for (const [file, output] of targets) {
      if (context.signal.aborted) break;
      const result = await runOne(file, output, timeoutMs, context);
      const { ok, executed, codeCells, seconds, failure } = result;
      report.push({ notebook: file, output, ok, executed, codeCells, seconds: round(seconds), failure });
      const end = failure ? `FAILED in cell ${failure.cell}: ${failure.reason}` : 'ok';
      context.progress(`${file}: ${executed} of ${codeCells} cells, ${round(seconds)} s, ${end}`);
      if (!values.json) context.out(output);
    }
    if (values.json) context.json({ notebooks: report });
    return report.every((entry) => entry.ok) ? 0 : 1;
  },
};

async function runOne(
  file: string,
  output: string,
  timeoutMs: number,
  { root, signal, progress }: VerbContext,
): Promise<NotebookResult> {
  const notebook = readNotebook(file);
  const result = await runHeadless(notebook, {
    root,
    folder: dirname(resolve(file)),
    timeoutMs,
    signal,
    onCell: (at) => {
      if (at.done) writeNotebook(output, at.notebook);
      else progress(`${file}: cell ${at.cell} of ${at.of}`);
    },
  });
  writeNotebook(output, result.notebook);
  return result;
}

/** Where each notebook's executed copy goes; two of the same name get numbers, a source is never overwritten. */
function outputFiles(files: string[], out: string): [string, string][] {
  const taken = new Set(files.map((file) => resolve(file)));
  return files.map((file) => {
    if (!file.endsWith('.ipynb')) throw new UsageError(`${file} must end in .ipynb`);
    if (resolve(dirname(file)) === out)
      throw new UsageError(`--out must be another folder than that of ${file}, which would be overwritten`);
    const stem = basename(file, '.ipynb');
    let output = join(out, `${stem}.ipynb`);
    for (let n = 2; taken.has(output); n++) output = join(out, `${stem}-${n}.ipynb`);
    taken.add(output);
    return [file, output];
  });
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
