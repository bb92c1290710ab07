/** Run files on disk: recorded ones in notebooks/results/<paper>/, all others in runs/<paper>/. */
import { join } from 'node:path';
import { writeAtomic, writeOnce } from '../../lib/tasks/files.js';
import {
  formatRun,
  judge,
  readRuns,
  runFileName,
  WORDS_FILE,
  type Paper,
  type Run,
  type Word,
} from '../../lib/papers/index.js';

export const recordedFolder = (root: string, paper: string): string =>
  join(root, 'notebooks', 'results', paper);
export const runsFolder = (root: string, paper: string): string => join(root, 'runs', paper);

/** Runs in the repository. */
export function recordedRuns(root: string, paper: string): Promise<Run[]> {
  return readRuns(recordedFolder(root, paper));
}

/** Recorded runs and those of runs/, each once. */
export async function allRuns(root: string, paper: string): Promise<Run[]> {
  const runs = [...(await recordedRuns(root, paper)), ...(await readRuns(runsFolder(root, paper)))];
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
