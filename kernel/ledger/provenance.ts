/** What code a run was made with: commit, hash of the sources, hash of the lock file, uncommitted changes. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { listFiles } from '../../lib/tasks/files.js';

const SOURCES = ['lib', 'kernel', 'kernels-wgsl', 'datasets'];
const SINGLE_FILES = ['package.json', 'package-lock.json'];
/** Made by the build from the other sources. */
const GENERATED = /(^|\/)(generated|node_modules)\//;

/** The members of a run that name the code. */
export interface CodeState {
  code: { commit: string; hash: string };
  /** sha256 of package-lock.json. */
  lock: string;
  /** Sources differ from the commit, or there is no commit to compare with. */
  dirty: boolean;
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** Hash of the names and contents of all source files. */
async function hashSources(root: string): Promise<string> {
  const lines: string[] = [];
  for (const folder of SOURCES) {
    for (const file of await listFiles(join(root, folder))) {
      if (GENERATED.test(`${folder}/${file}`)) continue;
      lines.push(`${folder}/${file} ${sha256(readFileSync(join(root, folder, file)))}`);
    }
  }
  return sha256(lines.sort().join('\n'));
}

async function git(root: string, args: string[]): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('git', args, { cwd: root, maxBuffer: 1 << 26 });
    return stdout.trim();
  } catch {
    return undefined;
  }
}

/** The state of the checkout at `root`; without git or a commit the code counts as uncommitted. */
export async function codeState(root: string): Promise<CodeState> {
  const commit = await git(root, ['rev-parse', 'HEAD']);
  const changes = await git(root, [
    'status',
    '--porcelain',
    '--untracked-files=all',
    '--',
    ...SOURCES,
    ...SINGLE_FILES,
  ]);
  return {
    code: { commit: commit ?? 'none', hash: await hashSources(root) },
    lock: sha256(readFileSync(join(root, 'package-lock.json'))),
    dirty: commit === undefined || changes === undefined || changes !== '',
  };
}
