/** Run files on disk: recorded ones in notebooks/results/<paper>/, all others in runs/<paper>/. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../lib/core/errors.js';
import { writeAtomic, writeOnce } from '../../lib/tasks/files.js';
import { formatRun, judge, readRun, runFileName, type Paper, type Run, type Word } from '../../lib/papers/index.js';

export const WORDS_FILE = 'words.json';

export const recordedFolder = (root: string, paper: string): string => join(root, 'notebooks', 'results', paper);
export const runsFolder = (root: string, paper: string): string => join(root, 'runs', paper);

/** Run files of a folder, in order of their names; an unreadable one is an error that names it. */
async function readFolder(folder: string): Promise<Run[]> {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => name.endsWith('.json') && name !== WORDS_FILE);
  const runs: Run[] = [];
  for (const name of names.sort()) runs.push(await readRunFile(join(folder, name)));
  return runs;
}

/** @throws DataError naming the file when it is missing, malformed or was edited */
export async function readRunFile(file: string): Promise<Run> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new DataError(`readRunFile: ${file} must be a readable file, got ${(error as NodeJS.ErrnoException).code ?? 'an error'}`, { cause: error });
  }
  try {
    return readRun(text);
  } catch (error) {
    throw new DataError(`${(error as Error).message} (${file})`, { cause: error });
  }
}

/** Runs in the repository. */
export function recordedRuns(root: string, paper: string): Promise<Run[]> {
  return readFolder(recordedFolder(root, paper));
}

/** Recorded runs and those of runs/, each once. */
export async function allRuns(root: string, paper: string): Promise<Run[]> {
  const runs = [...(await recordedRuns(root, paper)), ...(await readFolder(runsFolder(root, paper)))];
  return [...new Map(runs.map((run) => [run.id, run])).values()];
}

/** Writes a run file; its name holds its content id, so two runs never meet. */
export async function saveRun(folder: string, run: Run): Promise<string> {
  const file = join(folder, runFileName(run));
  await writeOnce(file, formatRun(run));
  return file;
}

/** Public words of a paper's claims, by what is recorded. */
export function publicWords(paper: Paper, recorded: readonly Run[]): Record<string, Word> {
  return Object.fromEntries(paper.claims.map((claim) => [claim.id, judge(claim, recorded).word]));
}

/** Writes the public words beside the recorded runs; a test compares them with what the runs say. */
export async function saveWords(root: string, paper: Paper): Promise<void> {
  const words = publicWords(paper, await recordedRuns(root, paper.id));
  await writeAtomic(join(recordedFolder(root, paper.id), WORDS_FILE), `${JSON.stringify(words, null, 2)}\n`);
}
