/** Finds the project's own folder from wherever this file was compiled to. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the nearest package.json named `assay` above this file. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, 'package.json');
    if (existsSync(file)) {
      const { name } = JSON.parse(readFileSync(file, 'utf8')) as { name?: string };
      if (name === 'assay') return folder;
    }
    const parent = dirname(folder);
    if (parent === folder) throw new Error('projectRoot: no package.json of assay above ' + import.meta.url);
    folder = parent;
  }
}
