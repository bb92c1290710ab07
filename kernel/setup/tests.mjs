// Runs the test suite and tells what ran, for how long, and what was skipped and why.
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from './process.mjs';

/** Wall-clock budgets of the suites in seconds, on two cores and cold. */
export const BUDGETS = { 'npm test': 600, '.ci/run': 1800 };

/** Runs vitest with the arguments passed on; resolves to its exit code. */
export async function runTests({ paths, options, adapter }) {
  const started = performance.now();
  rmSync(paths.testResults, { force: true });
  const vitest = join(paths.modules, 'vitest', 'vitest.mjs');
  const args = [
    vitest,
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${paths.testResults}`,
  ];
  const child = spawn(process.execPath, [...args, ...options.passed], { cwd: paths.root, stdio: 'inherit' });
  for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => child.kill(name));
  const code = await new Promise((resolve) => {
    child.on('error', () => resolve(127));
    child.on('exit', (status) => resolve(status ?? 130));
  });
  const seconds = (performance.now() - started) / 1000;
  for (const line of summary({
    results: readJson(paths.testResults, undefined),
    seconds,
    adapter,
    lab: existsSync(paths.venvAt.python),
  }))
    process.stdout.write(`${line}\n`);
  return code;
}

/** Lines printed under a test run: time against the budget, slowest files, what was skipped and why. */
export function summary({ results, seconds, adapter, lab }) {
  const budget = BUDGETS['npm test'];
  const lines = [
    '',
    `npm test: ${seconds.toFixed(0)} s of a budget of ${budget} s${seconds > budget ? ' - OVER BUDGET' : ''}`,
  ];
  if (!adapter.found)
    lines.push(`skipped: GPU tests (adapter tier), because no WebGPU adapter answered: ${adapter.reason}`);
  if (!lab)
    lines.push(
      'skipped: Jupyter tests, because there is no .venv (`node kernel/setup.mjs setup` makes it; needs Python)',
    );
  if (!results) return [...lines, 'no results were written: the test run ended early'];
  const files = results.testResults.map((file) => ({
    name: file.name.split(/[\\/]test[\\/]/).at(-1),
    seconds: (file.endTime - file.startTime) / 1000,
    skipped: file.assertionResults.filter((test) => test.status === 'skipped' || test.status === 'pending'),
  }));
  const slow = files.filter((file) => file.seconds > 5).sort((a, b) => b.seconds - a.seconds);
  if (slow.length)
    lines.push(
      'slowest: ' +
        slow
          .slice(0, 5)
          .map((file) => `${file.name} ${file.seconds.toFixed(0)} s`)
          .join(', '),
    );
  for (const { name, skipped } of files)
    for (const test of skipped) lines.push(`skipped: ${name}: ${test.fullName}`);
  return lines;
}
