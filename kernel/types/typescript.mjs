// The compiler, loaded as fast as Node can: not by `import`, which first reads its nine megabytes for the names of
// exports, and with V8's code cache where the build left one (dist/compiler/typescript.cache) that fits this Node.
import { existsSync, readFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';

const require = createRequire(import.meta.url);
const file = require.resolve('typescript');

/** Where the build leaves the code cache. */
export const cacheFile = join(
  dirname(fileURLToPath(import.meta.url)),
  '..',
  '..',
  'dist',
  'compiler',
  'typescript.cache',
);

const cachedData = existsSync(cacheFile) ? readFileSync(cacheFile) : undefined;
const script = new vm.Script(Module.wrap(readFileSync(file, 'utf8')), { filename: file, cachedData });
const module = new Module(file);
module.filename = file;
script
  .runInThisContext()
  .call(module.exports, module.exports, createRequire(file), module, file, dirname(file));
module.loaded = true;
// Whoever requires the compiler later (ts-blank-space does) gets this one.
require.cache[file] = module;

/** V8's code cache of what was compiled so far, and whether the one that was there served. */
export const codeCache = () => script.createCachedData();
export const cacheServed = cachedData !== undefined && script.cachedDataRejected === false;

export default module.exports;
