// Which files a part of the build reads, and the hashes of its last run (lib/generated/build.json, git-ignored).
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** All files under `folder` that end with `extension`, sorted; an absent folder is empty. */
export function listFiles(folder, extension) {
  if (!existsSync(folder)) return [];
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...listFiles(path, extension));
    else if (entry.name.endsWith(extension)) found.push(path);
  }
  return found.sort();
}

/** One hash over the names (with forward slashes) and contents of the files. */
export function hashFiles(root, files) {
  const hash = createHash('sha256');
  for (const file of files) {
    if (!existsSync(file)) continue;
    const content = readFileSync(file);
    hash.update(`${relative(root, file).split(sep).join('/')} ${content.length}\n`).update(content);
  }
  return hash.digest('hex').slice(0, 32);
}

const stampFile = (root) => join(root, 'lib/generated/build.json');

/** Hash of the inputs at the last successful build, by part; empty when unreadable. */
export function readStamps(root) {
  try {
    return JSON.parse(readFileSync(stampFile(root), 'utf8'));
  } catch {
    return {};
  }
}

/** Records a successful build of one part. */
export function writeStamp(root, name, hash) {
  writeGenerated(stampFile(root), JSON.stringify({ ...readStamps(root), [name]: hash }, null, 1) + '\n');
}

/** Writes a whole file or nothing: readers never see half of it. */
export function writeGenerated(file, text) {
  mkdirSync(join(file, '..'), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, file);
}
