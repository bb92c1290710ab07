/** `require` of cells: from the notebook's folder, and of packages also when they came after it was first asked. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isLocal, ownModule, type OwnModules } from './specifiers.js';

const SPELLINGS = ['', '.js', '.json', '.node'];

/** The project of a folder may require itself by its name. */
function isNamed(folder: string, name: string): boolean {
  try {
    return (
      (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: string }).name === name
    );
  } catch {
    return false;
  }
}

/**
 * Node remembers for ever that the package.json of a package was not there, so it is not asked for packages that
 * no folder has. `places` are the folders it would look into; none for its own modules.
 * @throws Error as Node's, with what to do
 */
function assertPackage(specifier: string, folder: string, places: readonly string[] | null): void {
  const name = /^(?:@[^/\\]+\/)?[^./\\#@:][^/\\:]*/.exec(specifier)?.[0];
  if (name === undefined || places === null) return;
  const found = places.some(
    (place) =>
      SPELLINGS.some((spelling) => existsSync(join(place, name + spelling))) || isNamed(dirname(place), name),
  );
  if (found) return;
  const message = `package '${name}' is not installed, looked for from ${folder}; run %install ${name} and then this cell again`;
  throw Object.assign(new Error(`require('${specifier}'): ${message}`), { code: 'MODULE_NOT_FOUND' });
}

/** `require` from the notebook's folder; the project's own names mean the project. */
export function folderRequire(folder: string, own: OwnModules): NodeJS.Require {
  const plain = createRequire(join(folder, '[cells].mjs'));
  const paths = (specifier: string) => plain.resolve.paths(specifier);
  const check = (specifier: unknown): void => {
    if (typeof specifier !== 'string') return;
    if (isLocal(specifier) && /\.[cm]?tsx?$/.test(specifier))
      throw new Error(
        `require: specifier must name JavaScript or JSON, got ${specifier}; use import for TypeScript`,
      );
    assertPackage(specifier, folder, paths(specifier));
  };
  const made = (specifier: string): unknown => {
    const mine = typeof specifier === 'string' ? ownModule(specifier, own) : undefined;
    if (mine !== undefined) return plain(fileURLToPath(mine)) as unknown;
    check(specifier);
    return plain(specifier) as unknown;
  };
  const resolve = (specifier: string, options?: { paths?: string[] }): string => {
    if (!options) check(specifier);
    return plain.resolve(specifier, options);
  };
  return Object.assign(made, {
    resolve: Object.assign(resolve, { paths }),
    cache: plain.cache,
    main: undefined,
    extensions: plain.extensions,
  });
}
