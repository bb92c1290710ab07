#!/usr/bin/env node
// Set-up and start of the project, without dependencies: `npm start`, `npm test`, and the commands below.
import { resolve } from 'node:path';
import { nodeProblem, parseArguments, megabytes, writeProblem } from './setup/decide.mjs';
import { runLab } from './setup/lab.mjs';
import { registerKernel } from './setup/kernelspecs.mjs';
import { takeLock } from './setup/lock.mjs';
import { findPython } from './setup/machine.mjs';
import { copyNotebooks } from './setup/notebooks.mjs';
import {
  buildStep,
  labDefaults,
  npmStep,
  packStep,
  tslabStep,
  venvReady,
  venvStep,
} from './setup/packages.mjs';
import { paths } from './setup/paths.mjs';
import { readJson, writeJson } from './setup/process.mjs';
import { Progress, SetupError } from './setup/progress.mjs';
import { systemStep } from './setup/system.mjs';
import { runTests } from './setup/tests.mjs';

const HELP = `Usage: node kernel/setup.mjs COMMAND [options]

  start        set up what is missing and open JupyterLab (npm start)
  test [ARGS]  set up what tests need and run them; ARGS go to vitest (npm test -- ARGS)
  setup        set up everything, start nothing
  pack DIR     fill DIR for --offline on a machine of the same platform and Python version

  --no-browser   print the address instead of opening it
  --port N       JupyterLab's port (default: a free one)
  --offline DIR  take packages from DIR instead of the network
  --system       install missing system packages (Debian and its likes, as root)
  --no-system    never touch system packages; ASSAY_SYSTEM=0 does the same
`;

/** Everything both kinds of set-up share; returns what the machine has. */
async function setUp({ options, progress, wantLab }) {
  const release = await takeLock(paths.lock, (text) => progress.line(`- ${text}`));
  const state = readJson(paths.state, {});
  const context = { paths, state, options, progress };
  try {
    await npmStep(context);
    const { python, adapter } = await systemStep({ ...context, needPython: wantLab && !venvReady(context) });
    await buildStep(context);
    await tslabStep(context);
    let lab = false;
    if (wantLab) lab = await venvStep({ ...context, python: python.python });
    if (lab) {
      for (const name of ['assay', 'tslab']) registerKernel(paths, paths.venvAt.share, name);
      labDefaults(paths);
    }
    state.adapter = { found: adapter.found, reason: adapter.reason };
    return { lab, adapter };
  } finally {
    writeJson(paths.state, state);
    release();
  }
}

async function main() {
  const problem = nodeProblem(process.version);
  if (problem) throw new SetupError(problem);
  let options;
  try {
    options = parseArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`setup: ${error.message}\n`);
    return 2;
  }
  if (options.command === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  if (options.offline !== undefined) options.offline = resolve(options.offline);
  const progress = new Progress();
  const started = performance.now();
  if (options.command === 'pack') {
    await packStep({ paths, options, progress, python: findPython().python });
    progress.line(
      `${options.offline} is ready: ${megabytes(progress.downloaded)} (counted: size of the files kept)`,
    );
    return 0;
  }
  const { lab, adapter } = await setUp({ options, progress, wantLab: options.command !== 'test' });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const how = progress.downloaded ? " (counted: growth of npm's cache, pip's and apt's own figures)" : '';
  progress.line(`set-up: ${seconds} s, ${megabytes(progress.downloaded)} downloaded${how}`);
  if (options.command === 'test') return runTests({ paths, options, adapter });
  const say = (text) => progress.line(`- ${text}`);
  if (lab) copyNotebooks(paths, say);
  if (options.command === 'setup') return 0;
  if (!lab) {
    progress.line(
      'JupyterLab needs Python; everything else works: `npm test`, `npx --no assay run NOTEBOOK`.',
    );
    return 1;
  }
  return runLab({ paths, options });
}

try {
  process.exitCode = await main();
} catch (error) {
  const message = error instanceof SetupError ? error.message : writeProblem(error);
  if (message === undefined) throw error;
  process.stderr.write(`\nset-up stopped: ${message}\n`);
  process.exitCode = 1;
}
