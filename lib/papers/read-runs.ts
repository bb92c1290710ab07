/** Run files of a folder (Node only; in a browser the call throws). */
import { DataError } from '../core/errors.js';
import { joinPath, listFiles, readBytes } from '../tasks/files.js';
import { readRun } from './ledger/runs.js';
import type { Run } from './ledger/types.js';

/** The file beside recorded runs that holds the public words; it is no run. */
export const WORDS_FILE = 'words.json';

/**
 * Reads every run file directly in a folder, such as `notebooks/results/mamba`, in order of their names; empty when there
 * is no such folder.
 *
 * @throws DataError naming the file that is malformed or was edited
 */
export async function readRuns(folder: string): Promise<Run[]> {
  const names = (await listFiles(folder, '.json')).filter(
    (name) => !name.includes('/') && name !== WORDS_FILE,
  );
  const runs: Run[] = [];
  for (const name of names) runs.push(await readRunFile(joinPath(folder, name)));
  return runs;
}

/** Reads one run file. @throws DataError naming it when it is missing, malformed or was edited */
export async function readRunFile(path: string): Promise<Run> {
  const bytes = await readBytes(path);
  try {
    return readRun(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new DataError(`${(error as Error).message} (${path})`, { cause: error });
  }
}
