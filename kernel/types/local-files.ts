/** Which files of the user a specifier means, and which of them the kernel loads itself. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from './parse.js';
import ts from '#typescript';

const TYPESCRIPT = ['.ts', '.tsx', '.mts', '.cts', '.jsx'];
const SCRIPT = ['.js', '.mjs'];
/** A file written `./b.js` may be b.ts: the compiler's own order, TypeScript first. */
const WRITTEN: Record<string, readonly string[]> = {
  '.js': ['.ts', '.tsx', '.js'],
  '.jsx': ['.tsx', '.jsx'],
  '.mjs': ['.mts', '.mjs'],
  '.cjs': ['.cts', '.cjs'],
};

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** The first existing file among the spellings of `base`. */
function findFile(base: string): string | undefined {
  const extension = path.extname(base);
  const candidates = (WRITTEN[extension] ?? []).map((one) => base.slice(0, -extension.length) + one);
  if (candidates.length === 0) candidates.push(base);
  for (const one of [...TYPESCRIPT, ...SCRIPT]) candidates.push(base + one);
  for (const one of [...TYPESCRIPT, ...SCRIPT]) candidates.push(path.join(base, `index${one}`));
  return candidates.find(isFile);
}

/** Folder of `from`, which may be a folder, a file or a file: URL with a query. */
function folderOf(from: string): string {
  const file = from.startsWith('file:') ? fileURLToPath(from) : from;
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ? file : path.dirname(file);
}

/** Whether a specifier names a file rather than a package. */
export function namesFile(specifier: string): boolean {
  return /^(\.{0,2}\/|\.{1,2}$|file:)/.test(specifier) || path.isAbsolute(specifier);
}

/** A JavaScript file is loaded here only when it is a module; CommonJS is left to Node. */
function isModuleScript(file: string): boolean {
  if (file.endsWith('.mjs')) return true;
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest)) {
      try {
        const { type } = JSON.parse(readFileSync(manifest, 'utf8')) as { type?: string };
        if (type === 'module') return true;
      } catch {
        // A broken package.json is for Node to complain of, at the import.
      }
      break;
    }
    if (folder === path.dirname(folder)) break;
  }
  return parse(readFileSync(file, 'utf8'), 'js').statements.some(
    (one) =>
      ts.isImportDeclaration(one) ||
      ts.isExportDeclaration(one) ||
      ts.isExportAssignment(one) ||
      exports(one),
  );
}

function exports(node: ts.Statement): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some(isExport) ?? false);
}

function isExport(modifier: ts.Modifier): boolean {
  return modifier.kind === ts.SyntaxKind.ExportKeyword;
}

/**
 * The local source file a specifier means, or undefined: packages, built-in modules, JSON, CommonJS and files
 * below `excluded` (the project's own compiled code, of which there must be one copy) are left to Node.
 */
export function locateFile(specifier: string, from: string, excluded: readonly string[]): string | undefined {
  if (!namesFile(specifier)) return undefined;
  const plain = specifier.startsWith('file:') ? specifier : specifier.replace(/[?#].*$/, '');
  const base = plain.startsWith('file:') ? fileURLToPath(plain) : path.resolve(folderOf(from), plain);
  const file = findFile(base);
  if (!file || file.split(path.sep).includes('node_modules')) return undefined;
  if (excluded.some((folder) => file.startsWith(folder + path.sep))) return undefined;
  const extension = path.extname(file);
  if (TYPESCRIPT.includes(extension)) return file;
  return SCRIPT.includes(extension) && isModuleScript(file) ? file : undefined;
}
