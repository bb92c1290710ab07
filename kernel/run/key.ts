/**
 * The key of a run: a hash of everything its results depend on that can be seen from outside. A notebook whose
 * saved output bears the same key need not run again.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  type Dirent,
  type Stats,
  createReadStream,
  existsSync,
  readFileSync,
  readdirSync,
  statSync,
} from 'node:fs';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import ts from 'typescript';
import { manifests } from '../../datasets/index.js';
import { cellsToRun, sourceOf, type Notebook } from './notebook.js';
import type { Parameters } from './parameters.js';

export interface KeyParts {
  /** With the injected parameters. */
  readonly notebook: Notebook;
  readonly parameters: Parameters;
  readonly kernel: string;
  /** Folder of the notebook. */
  readonly folder: string;
  /** What {@link projectVersions} gives; one for all runs of a command. */
  readonly versions: string;
}

/** Files beyond this size are known by size and time of change, not by content. */
const LARGE_BYTES = 256 * 2 ** 20;
const MODULE_ENDINGS = ['', '.ts', '.mts', '.tsx', '.js', '.mjs', '.json', '/index.ts', '/index.js'];

/** The key of one run, 32 hexadecimal digits. */
export async function runKey({ notebook, parameters, kernel, folder, versions }: KeyParts): Promise<string> {
  const hash = createHash('sha256');
  const cells = cellsToRun(notebook).map((cell) => [sourceOf(cell), cell.metadata.tags ?? []]);
  hash.update(JSON.stringify({ versions, kernel, parameters: sorted(parameters), cells }));
  const seen = new Set<string>();
  for (const cell of cellsToRun(notebook)) await addMentions(hash, sourceOf(cell), folder, seen);
  return hash.digest('hex').slice(0, 32);
}

function sorted(values: Parameters): [string, unknown][] {
  return Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** What the code names in its strings: data sets by their manifests, files and folders by what lies there. */
async function addMentions(hash: Hash, code: string, folder: string, seen: Set<string>): Promise<void> {
  for (const text of stringsOf(code)) {
    const manifest = manifests.find(({ name }) => name === text);
    if (manifest) hash.update(`data ${manifest.name} ${manifest.sha256}\n`);
    // Addresses, and what Windows would ask the network for.
    if (/^([a-z][a-z0-9+.-]+:|[\\/]{2})/i.test(text) || text.length > 1000 || text.includes('\0')) continue;
    const place = resolve(folder, text);
    // A module may be named without its ending, or with the one it gets when it is compiled.
    const local = /^\.{1,2}(\/|$)/.test(text);
    const endings = local ? MODULE_ENDINGS : [''];
    const names = local && /\.m?js$/.test(text) ? [place, place.replace(/js$/, 'ts')] : [place];
    for (const file of names.flatMap((name) => endings.map((ending) => name + ending)))
      await addPlace(hash, file, folder, seen);
  }
}

async function addPlace(hash: Hash, file: string, folder: string, seen: Set<string>): Promise<void> {
  // A folder around the notebook (the file system's root is one) is not what a notebook reads.
  if (seen.has(file) || isAround(file, folder)) return;
  const stat = statOf(file);
  if (!stat) return;
  seen.add(file);
  const name = relative(folder, file).split(sep).join('/');
  if (stat.isDirectory()) hash.update(`folder ${name}\n${listing(file)}\n`);
  if (!stat.isFile()) return;
  hash.update(`file ${name} ${stat.size}\n`);
  if (stat.size > LARGE_BYTES) return void hash.update(String(stat.mtimeMs));
  try {
    await pipeline(createReadStream(file), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) hash.update(chunk);
    });
  } catch {
    // What may not be read here may not be read by the notebook either.
    return;
  }
  if (/\.[cm]?[jt]sx?$/.test(file))
    await addMentions(hash, readFileSync(file, 'utf8'), resolve(file, '..'), seen);
}

/** Undefined for what is not there or may not be looked at: a string of the code need not be a path. */
function statOf(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function isAround(place: string, folder: string): boolean {
  const path = relative(place, folder);
  return path === '' || !(path.startsWith('..') || isAbsolute(path));
}

/** Names, sizes and times of change of the files below a folder; of very many the first. */
function listing(folder: string, left = { entries: 10_000 }): string {
  return entriesOf(folder)
    .filter(({ name }) => name !== 'node_modules' && !name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .slice(0, left.entries)
    .map((entry) => {
      if (left.entries-- <= 0) return '';
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return `${entry.name}/\n${listing(path, left)}`;
      const stat = statOf(path);
      return `${entry.name} ${stat?.size} ${stat?.mtimeMs}`;
    })
    .join('\n');
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Contents of all string literals of the code, whatever state its syntax is in. */
function stringsOf(code: string): string[] {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) && node.text !== '') found.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('cell.ts', code, ts.ScriptTarget.ES2022, true));
  return [...found];
}

/**
 * Everything about the project and this machine that every run depends on: the compiled library and kernel, the
 * locked packages, Node, and the settings in the environment.
 */
export function projectVersions(root: string): string {
  const hash = createHash('sha256');
  const { version, arch, platform } = process;
  const settings = Object.entries(process.env)
    .filter(([name]) => /^ASSAY_(?!DEBUG$|PYTHON$|SYSTEM$|HISTORY$|HEADLESS$|TEST_)/.test(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  hash.update(JSON.stringify({ version, arch, platform, settings }));
  for (const file of ['package.json', 'package-lock.json', 'kernel/tslab/package-lock.json'])
    if (existsSync(join(root, file))) hash.update(readFileSync(join(root, file)));
  for (const file of scripts(join(root, 'dist')))
    hash.update(`${relative(root, file).split(sep).join('/')}\n`).update(readFileSync(file));
  return hash.digest('hex');
}

function scripts(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return scripts(path);
      return entry.name.endsWith('.js') ? [path] : [];
    });
}
