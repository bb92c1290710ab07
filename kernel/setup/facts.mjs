// What the compiled command line asks set-up's modules (see kernel/cli/setup-bridge.ts for the types).
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeProblem } from './decide.mjs';
import { jupyterFolder, kernels, ownerOf, registerKernel, removeKernel } from './kernelspecs.mjs';
import { findAdapter, findPython } from './machine.mjs';
import { labVersion } from './packages.mjs';
import { paths } from './paths.mjs';
import { readJson } from './process.mjs';
import { planFor } from './system.mjs';
import { BACKPORTS_FILE, systemUndo } from './system-plan.mjs';

export const venv = paths.venv;

export function venvExists() {
  return existsSync(paths.venvAt.python);
}

/** Everything the doctor reports about the machine. */
export async function gatherFacts() {
  const adapter = await findAdapter(paths.root);
  const { python, problem, advice } = findPython();
  const plan = planFor({ options: {}, adapter, pythonProblem: problem });
  const state = readJson(paths.state, {});
  const source = existsSync(BACKPORTS_FILE) ? BACKPORTS_FILE : undefined;
  const packages = state.system?.packages ?? (source ? ['mesa-vulkan-drivers'] : []);
  const registered = join(paths.venvAt.share, 'kernels');
  return {
    adapter,
    python: python ? { version: python.version, executable: python.executable } : null,
    pythonAdvice: advice,
    nodeProblem: nodeProblem(process.version),
    jupyterlab: labVersion(paths) ?? null,
    kernels: existsSync(registered) ? readdirSync(registered).sort() : [],
    assayKernel: existsSync(join(paths.root, 'dist', 'kernel', 'user', 'main.js')),
    tslab: readJson(join(paths.tslab, 'node_modules', 'tslab', 'package.json'), {}).version ?? null,
    venv: venvExists() ? paths.venv : null,
    system: {
      command: plan.command,
      reasons: plan.reasons,
      gaps: plan.gaps,
      undo: systemUndo({ packages, source }),
    },
  };
}

/** What the command line needs to register kernels anywhere. */
export const registration = {
  folder: jupyterFolder,
  missing: (name) => kernels[name].missing(paths),
  owner: (jupyter, name) => ownerOf(paths, jupyter, name),
  register: (jupyter, name, node) => registerKernel(paths, jupyter, name, node),
  remove: removeKernel,
};
