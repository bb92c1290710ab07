#!/usr/bin/env node
// Entry of the `assay` command: hands over to the compiled command line, or says how to build it.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const main = join(root, 'dist', 'kernel', 'cli', 'main.js');
if (existsSync(main)) {
  const { runCommandLine } = await import(pathToFileURL(main).href);
  await runCommandLine(process.argv.slice(2));
} else {
  process.stderr.write(
    'assay: the project is not built yet. Run `npm test` or `npm start` once, or `node kernel/build.mjs`.\n',
  );
  process.exitCode = 1;
}
