#!/usr/bin/env node
// What the kernelspec "assay" starts: `node kernel/jupyter.mjs CONNECTION_FILE`. Says plainly what is missing.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { nodeProblem } from './setup/decide.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const main = join(root, 'dist', 'kernel', 'user', 'main.js');

/** What keeps the kernel from starting, or undefined. */
function problem() {
  const node = nodeProblem(process.version);
  if (node) return `${node} The kernelspec names ${process.execPath}.`;
  if (process.argv[2] === undefined)
    return 'a connection file must be given: Jupyter starts this program, people use `npm start` or `assay run`.';
  if (!existsSync(process.argv[2])) return `the connection file ${process.argv[2]} must exist.`;
  if (!existsSync(main))
    return `the project in ${root} is not built: run \`npm start\`, \`npm test\` or \`node kernel/build.mjs\` there once.`;
  if (!existsSync(join(root, 'node_modules', 'zeromq')))
    return `the packages of the project in ${root} are missing: run \`npm start\` or \`npm ci\` there once.`;
  return undefined;
}

const reason = problem();
if (reason) {
  process.stderr.write(`assay kernel: ${reason}\n`);
  process.exitCode = 1;
} else {
  await import(pathToFileURL(main).href);
}
