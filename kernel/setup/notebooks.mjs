// Copies of the master notebooks for students: my/ is theirs, the checkout stays clean.
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { notebookAction } from './decide.mjs';
import { readJson, sha256, writeJson } from './process.mjs';

/** Hash of what a person writes in a notebook: kinds and sources of its cells, not outputs or counters. */
export function sourcesHash(text) {
  try {
    const cells = JSON.parse(text).cells.map((cell) => [cell.cell_type, [].concat(cell.source).join('')]);
    return sha256(JSON.stringify(cells));
  } catch {
    return sha256(text);
  }
}

/** Copies the masters into my/; a changed copy stays as it is. Resolves to what was done: [{name, action}]. */
export function copyNotebooks({ notebooks, my, notebooksRecord }, say) {
  const record = readJson(notebooksRecord, {});
  const done = [];
  mkdirSync(my, { recursive: true });
  for (const name of masterNotebooks(notebooks)) {
    const source = join(notebooks, name);
    const target = join(my, name);
    const master = sourcesHash(readFileSync(source, 'utf8'));
    const copyText = existsSync(target) ? readFileSync(target, 'utf8') : undefined;
    const copy = copyText === undefined ? undefined : sourcesHash(copyText);
    const entry = record[name] ?? {};
    const action = notebookAction({ master, copy, recorded: entry.copied });
    if (action === 'create' || action === 'update') {
      mkdirSync(dirname(target), { recursive: true });
      if (action === 'update' && hasOutputs(copyText))
        copyFileSync(target, target.replace(/\.ipynb$/, '.previous.ipynb'));
      copyFileSync(source, target);
      record[name] = { copied: master };
    } else if (action === 'same') record[name] = { copied: master };
    else if (entry.copied !== master && entry.told !== master) {
      say(`my/${name} is your own version and stays; a newer master is notebooks/${name}`);
      record[name] = { ...entry, told: master };
    }
    done.push({ name, action });
  }
  writeJson(notebooksRecord, record);
  return done;
}

/** Names of the master notebooks below `folder`, with forward slashes; templates (`_*.ipynb`) are left out. */
export function masterNotebooks(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^[^_.].*\.ipynb$/.test(entry.name))
    .map((entry) =>
      relative(folder, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join('/'),
    )
    .filter((name) => !/(^|\/)(\.ipynb_checkpoints|node_modules)\//.test(name))
    .sort();
}

function hasOutputs(text) {
  try {
    return JSON.parse(text).cells.some((cell) => cell.outputs?.length > 0);
  } catch {
    return true;
  }
}
