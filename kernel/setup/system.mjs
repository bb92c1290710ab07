// System packages: says what is missing, asks or prints, installs only where it may.
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { aptDownloadedBytes } from './decide.mjs';
import { findAdapter, findPython, isRoot, linuxFacts } from './machine.mjs';
import { run, tail } from './process.mjs';
import { systemPlan } from './system-plan.mjs';

/** The plan for this machine, from what was found so far. */
export function planFor({ options, adapter, pythonProblem }) {
  return systemPlan({
    platform: process.platform,
    ...linuxFacts(),
    root: isRoot(),
    terminal: !!process.stdin.isTTY && !!process.stderr.isTTY && !process.env.CI,
    env: process.env,
    option: options.system,
    pythonProblem,
    adapter,
  });
}

/**
 * Looks for Python and an adapter, installs what is missing where that is allowed, and looks again.
 * Resolves to {python, adapter}: python is what pickPython returns.
 */
export async function systemStep({ paths, state, options, progress, needPython }) {
  let python = needPython ? findPython() : { python: undefined };
  let adapter = await findAdapter(paths.root);
  const plan = planFor({ options, adapter, pythonProblem: python.problem });
  if (await mayInstall(plan, progress)) {
    await installSystem(plan, state, progress);
    if (needPython) python = findPython();
    adapter = await findAdapter(paths.root);
  }
  if (adapter.found)
    progress.line(
      `- WebGPU adapter: ${adapter.info.description || adapter.info.device}${adapter.software ? ' (in software)' : ''}`,
    );
  else
    progress.note(
      `No WebGPU adapter (${adapter.reason}): everything runs on the CPU; GPU tests are skipped.`,
    );
  for (const gap of plan.gaps) progress.note(gap);
  if (needPython && python.advice) progress.note(python.advice);
  return { python, adapter };
}

async function mayInstall(plan, progress) {
  if (plan.permission === 'nothing') return false;
  progress.line(`- system packages are missing: ${plan.reasons.join('; ')}`);
  if (plan.permission === 'install') return true;
  if (plan.permission === 'ask') {
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await prompt.question(`  Run this now?\n    ${plan.command}\n  [y/N] `);
    prompt.close();
    if (/^y(es)?$/i.test(answer.trim())) return true;
  }
  const why = plan.permission === 'forbidden' ? 'Installing is switched off here; as' : 'As';
  progress.note(`${why} the system's administrator run: ${plan.command}`);
  return false;
}

async function installSystem(plan, state, progress) {
  progress.line(`  running: ${plan.command}`);
  await progress.step('system packages (apt-get)', async () => {
    if (plan.source) writeFileSync(plan.source.file, plan.source.text);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
    const install = ['install', '-y', '--no-install-recommends'];
    const commands = [['update']];
    if (plan.packages.length) commands.push([...install, ...plan.packages]);
    if (plan.backports.length) commands.push([...install, '-t', plan.source.suite, ...plan.backports]);
    let bytes = 0;
    for (const args of commands) {
      const result = await run('apt-get', args, { env });
      if (result.code !== 0) {
        progress.note(
          `apt-get ${args.join(' ')} failed; what can run without it goes on.\n${tail(result.output, 6)}`,
        );
        break;
      }
      bytes += aptDownloadedBytes(result.output);
    }
    const before = state.system ?? {};
    state.system = {
      packages: [...new Set([...(before.packages ?? []), ...plan.packages, ...plan.backports])],
      source: plan.source?.file ?? before.source,
    };
    return { bytes };
  });
}
