/**
 * Node's loader hook, in Node's own loader thread: local source files come from the types thread, the project's own
 * names mean the project, and what could not be linked is tried anew.
 */
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { MessagePort } from 'node:worker_threads';
import { answer, Asker } from '../threads/ask.js';
import type { Diagnostic, TypesAnswers, TypesRequest } from '../threads/types-messages.js';
import { ownModule, type OwnModules } from './specifiers.js';

export interface HookData {
  readonly types: MessagePort;
  readonly user: MessagePort;
  readonly own: OwnModules;
}

/** An import failed: at its end `failed` may be read anew. */
export interface FailedImport {
  readonly type: 'failed';
  readonly specifier: string;
  readonly parent: string;
}

interface Context {
  readonly parentURL?: string;
}
interface Resolved {
  url: string;
  format?: string | null;
  shortCircuit?: boolean;
  importAttributes?: Record<string, string>;
}
interface Loaded {
  format: string;
  source?: string;
  shortCircuit?: boolean;
}

const AGAIN = 'assay-again';

let types: Asker<TypesRequest, TypesAnswers>;
let own: OwnModules;
/** What each module imported: addresses without the mark of another try. */
const children = new Map<string, Set<string>>();
const parents = new Map<string, Set<string>>();
/** How often a module shall have been tried anew. */
const again = new Map<string, number>();
/** Modules some import of which was not found: they and all above them never ran. */
const broken = new Set<string>();

export function initialize(data: HookData): void {
  types = new Asker(data.types);
  own = data.own;
  answer(data.user, (question: FailedImport) => renew(question));
}

/** An address without the mark of another try. */
function bare(url: string): string {
  return url.replace(new RegExp(`[?&]${AGAIN}=\\d+`), '');
}

function link(parent: string, child: string): void {
  const down = children.get(parent) ?? new Set();
  children.set(parent, down.add(child));
  const up = parents.get(child) ?? new Set();
  parents.set(child, up.add(parent));
}

function reach(start: Iterable<string>, edges: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const seen = new Set<string>();
  const todo = [...start];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    todo.push(...(edges.get(at) ?? []));
  }
  return seen;
}

/**
 * Node keeps a module that failed for ever. Those that could not be linked get a new address for the next try, and so
 * do the local files the failed import reached, whose own code may have thrown. Modules that run keep theirs.
 */
function renew({ specifier, parent }: FailedImport): boolean {
  failures++;
  const from = bare(parent);
  const reached = reach(roots.get(`${from}\n${specifier}`) ?? [], children);
  const unlinked = reach(
    [...broken].filter((url) => reached.has(url)),
    parents,
  );
  for (const url of reached)
    if (unlinked.has(url) || isSource(url)) again.set(url, (again.get(url) ?? 0) + 1);
  for (const url of unlinked) broken.delete(url);
  return true;
}

/** What a specifier of a parent led to. */
const roots = new Map<string, Set<string>>();

function isSource(url: string): boolean {
  return url.startsWith('file:') && new URL(url).searchParams.has('v');
}

function marked(url: string): string {
  const tries = again.get(url);
  if (tries === undefined) return url;
  return `${url}${url.includes('?') ? '&' : '?'}${AGAIN}=${tries}`;
}

/** Failed imports so far. */
let failures = 0;

/**
 * Node remembers for ever that a package.json was not there, by its path as text. Packages are therefore looked for
 * from the same folder by a path with more slashes at its root, one more after every failure; what is found has its
 * real path again.
 */
function unremembered(parent: string): string {
  return parent.replace(/^file:\/\/\/([A-Za-z]:\/)?/, (root) => root + '/'.repeat(1 + failures));
}

function isPackage(specifier: string): boolean {
  return /^(?:@|[^./#@:][^:]*$)/.test(specifier) && !isBuiltin(specifier);
}

/** The source file of a package that is linked from elsewhere, in its present version. */
async function versioned(url: string): Promise<string> {
  if (!/\.(?:[cm]?ts|tsx)$/.test(url) || url.includes('/node_modules/')) return url;
  const located = await types.ask({ type: 'locate', specifier: url, from: url });
  return located ? `${url}?v=${located.version}` : url;
}

export async function resolve(
  specifier: string,
  context: Context,
  next: (specifier: string, context: Context) => Promise<Resolved>,
): Promise<Resolved> {
  const parent = context.parentURL === undefined ? undefined : bare(context.parentURL);
  const inPackage = parent === undefined || parent.includes('/node_modules/');
  const mine = inPackage ? undefined : ownModule(specifier, own);
  if (mine !== undefined) return { url: mine, shortCircuit: true };
  try {
    const hidden = parent !== undefined && parent.startsWith('file:///') && isPackage(specifier);
    const from = hidden ? { ...context, parentURL: unremembered(parent) } : context;
    const found = await next(specifier, from);
    if (!found.url.startsWith('file:')) return found;
    const url = await versioned(bare(found.url));
    if (parent !== undefined) {
      link(parent, url);
      const key = `${parent}\n${specifier}`;
      roots.set(key, (roots.get(key) ?? new Set()).add(url));
    }
    return { ...found, url: marked(url) };
  } catch (error) {
    if (parent !== undefined) broken.add(parent);
    if (error instanceof Error)
      error.message = error.message.replace(/( imported from (?:[A-Z]:)?[\\/])[\\/]+/, '$1');
    throw error;
  }
}

export async function load(
  url: string,
  context: Context,
  next: (url: string, context: Context) => Promise<Loaded>,
): Promise<Loaded> {
  if (!isSource(url)) return next(url, context);
  const prepared = await types.ask({ type: 'module', file: fileURLToPath(url.replace(/[?#].*$/, '')) });
  if (!prepared.ok) throw new SyntaxError(prepared.diagnostics.map(told).join('\n'));
  return { format: 'module', source: prepared.js, shortCircuit: true };
}

function told({ file, line, column, message, notes }: Diagnostic): string {
  return [`${file}:${line}:${column}: ${message}`, ...notes.map((note) => `  ${note}`)].join('\n');
}
