/** From what was asked to the runs: which notebook with which parameters into which file. */
import { createHash } from 'node:crypto';
import { basename, dirname, join, resolve } from 'node:path';
import { readNotebook, type Notebook } from './notebook.js';
import type { GivenParameters } from './parameter-files.js';
import { checkedParameters, declaredParameters, injectParameters, type Parameters } from './parameters.js';

/** One run to be made. */
export interface PlannedRun {
  /** The source as it was named. */
  readonly file: string;
  readonly folder: string;
  readonly output: string;
  /** With the parameters injected. */
  readonly notebook: Notebook;
  readonly parameters: Parameters;
}

/** The longest name made of parameters; longer ones end in a hash. */
const LONGEST_NAME = 100;

/**
 * Every notebook with every parameter set. Refuses what would overwrite a source, and parameters that a notebook
 * does not declare, before anything runs.
 */
export function planRuns(
  files: readonly string[],
  sets: readonly GivenParameters[],
  out: string,
): PlannedRun[] {
  const taken = new Set(files.map((file) => resolve(file)));
  return files.flatMap((file) => {
    const notebook = readNotebook(file);
    const folder = dirname(resolve(file));
    if (sets.length === 0) {
      const output = freeName(out, basename(file, '.ipynb'), taken);
      return [{ file, folder, output, notebook, parameters: {} }];
    }
    const declared = declaredParameters(notebook);
    return sets.map((given, row) => {
      const where = sets.length > 1 ? `${file}, parameter set ${row + 1}` : file;
      const parameters = checkedParameters(declared, given, where);
      const output = freeName(out, nameFor(basename(file, '.ipynb'), parameters), taken);
      return { file, folder, output, notebook: injectParameters(notebook, declared, parameters), parameters };
    });
  });
}

/** A name that tells the parameters and is a file name on every system. */
export function nameFor(stem: string, parameters: Parameters): string {
  const parts = Object.entries(parameters).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
    return `${name}=${text}`;
  });
  if (parts.length === 0) return stem;
  const full = parts.join(',');
  const plain = full.replace(/[^A-Za-z0-9._=,+-]/g, '_').replace(/[. ]+$/, '_');
  if (plain === full && full.length <= LONGEST_NAME) return `${stem}-${full}`;
  const hash = createHash('sha256').update(full).digest('hex').slice(0, 8);
  return `${stem}-${plain.slice(0, LONGEST_NAME - 9)}-${hash}`;
}

/** A path that no source and no other run has; numbers tell runs of the same name apart. */
function freeName(out: string, name: string, taken: Set<string>): string {
  let output = join(out, `${name}.ipynb`);
  for (let n = 2; taken.has(output); n++) output = join(out, `${name}-${n}.ipynb`);
  taken.add(output);
  return output;
}
