/** Run files on disk: append-only, one folder a paper. */
import { DataError } from '../../core/errors.js';
import { joinPath, listFiles, machineFacts, readBytes, writeOnce } from '../../tasks/files.js';
import { formatRun, readRun, runFileName } from './runs.js';
import type { DeviceCard, Run } from './types.js';

/**
 * Writes a run to `<folder>/<paper>/<size>.<device>.<id8>.json` and returns the path. The text is read back before it
 * is written, so that no file can be recorded that the ledger would reject.
 */
export async function recordRun(folder: string, run: Run): Promise<string> {
  const text = formatRun(run);
  readRun(text);
  const path = joinPath(joinPath(folder, run.paper), runFileName(run));
  await writeOnce(path, text);
  return path;
}

/**
 * All runs below a folder, sorted by id; none when there is no such folder.
 *
 * @throws DataError naming the first file that is malformed.
 */
export async function readRuns(folder: string): Promise<Run[]> {
  const runs: Run[] = [];
  for (const file of await listFiles(folder, '.json')) {
    const text = new TextDecoder().decode(await readBytes(joinPath(folder, file)));
    try {
      runs.push(readRun(text));
    } catch (error) {
      throw new DataError(`readRuns: ${file} must be a run file: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
  return runs.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The card of this machine; `adapter` names the GPU of a run that used one. */
export function deviceCard(adapter?: string): DeviceCard {
  const facts = machineFacts();
  const what = adapter === undefined ? `${facts.cores}c` : adapter;
  const slug = `${facts.platform}-${facts.arch}-${what}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return { slug, ...facts, ...(adapter === undefined ? {} : { adapter }) };
}
