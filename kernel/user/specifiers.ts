/** What import specifiers of cells and local modules mean to the kernel itself. */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** Specifiers that always mean the kernel's own project, as addresses of its compiled files. */
export interface OwnModules {
  /** Address of the compiled project, ending in a slash. */
  readonly dist: string;
  readonly name: string;
  /** `exports` of the project: subpath, at most one star, and the compiled file. */
  readonly exports: readonly (readonly [subpath: string, target: string])[];
}

const DIST = './dist/';

function target(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return undefined;
  const conditions = value as Record<string, unknown>;
  return target(conditions.import) ?? target(conditions.node) ?? target(conditions.default);
}

/** Reads the project's `exports`; its files are those compiled beside this one, whatever the folder is called. */
export function ownModules(root: string, dist: string): OwnModules {
  const text = readFileSync(new URL('package.json', pathToFileURL(`${root}/`)), 'utf8');
  const { name, exports } = JSON.parse(text) as { name: string; exports: Record<string, unknown> };
  const entries = Object.entries(exports).flatMap(([subpath, value]) => {
    const file = target(value);
    return file?.startsWith(DIST) ? [[subpath, file.slice(DIST.length)] as const] : [];
  });
  // What notebooks import is there whatever the table says.
  const fixed = [['./notebook', 'kernel/notebook/index.js'] as const];
  const exact = [...entries, ...fixed].filter(([subpath]) => !subpath.includes('*'));
  const starred = entries.filter(([subpath]) => subpath.includes('*'));
  starred.sort(([a], [b]) => b.indexOf('*') - a.indexOf('*'));
  return { dist, name, exports: [...exact, ...starred] };
}

/** The address of a specifier of the kernel's own project, or undefined. */
export function ownModule(specifier: string, own: OwnModules): string | undefined {
  if (specifier === 'tslab') return new URL('kernel/notebook/tslab.js', own.dist).href;
  if (specifier !== own.name && !specifier.startsWith(`${own.name}/`)) return undefined;
  const subpath = `.${specifier.slice(own.name.length)}`;
  for (const [pattern, file] of own.exports) {
    if (pattern === subpath) return new URL(file, own.dist).href;
    const [before, after] = pattern.split('*');
    if (after === undefined || !subpath.startsWith(before) || !subpath.endsWith(after)) continue;
    if (subpath.length < before.length + after.length) continue;
    const middle = subpath.slice(before.length, subpath.length - after.length);
    return new URL(file.replaceAll('*', middle), own.dist).href;
  }
  return undefined;
}

/** Files of the notebook's folder, by path or address; all else is a builtin or a package. */
export function isLocal(specifier: string): boolean {
  return /^(?:\.{1,2}(?:\/|\\|$)|\/|file:|[A-Za-z]:[\\/])/.test(specifier);
}
