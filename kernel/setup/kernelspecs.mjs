// Registers the project's kernels with a Jupyter installation, and removes them.
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { assayKernelspec, jupyterDataFolder, tslabKernelspec } from './decide.mjs';
import { readJson, writeJson } from './process.mjs';

/** The kernels by name: their specification for a Node, and whether they can run here. */
export const kernels = {
  assay: {
    spec: (paths, node) => assayKernelspec(node, paths.root, join),
    missing: () => undefined,
    logos: (paths) => paths.logos,
  },
  tslab: {
    spec: (paths, node) => tslabKernelspec(node, paths.tslab, join),
    missing: (paths) =>
      existsSync(join(paths.tslab, 'node_modules', 'tslab'))
        ? undefined
        : 'tslab is not installed: run `node kernel/setup.mjs setup` once',
    logos: () => undefined,
  },
};

/** `share/jupyter` of a prefix, or a user's own Jupyter folder. */
export function jupyterFolder(place) {
  if (place.prefix !== undefined) return join(place.prefix, 'share', 'jupyter');
  return jupyterDataFolder({ platform: process.platform, env: process.env, home: homedir() }, join);
}

/** Registers a kernel under a Jupyter folder; gives the kernelspec's folder. What lies there is renewed. */
export function registerKernel(paths, jupyter, name, node = process.execPath) {
  const folder = join(jupyter, 'kernels', name);
  const file = join(folder, 'kernel.json');
  const kernel = kernels[name];
  const spec = kernel.spec(paths, node);
  if (JSON.stringify(readJson(file, undefined)) !== JSON.stringify(spec)) writeJson(file, spec);
  const logos = kernel.logos(paths);
  if (logos) for (const logo of readdirSync(logos)) cpSync(join(logos, logo), join(folder, logo));
  return folder;
}

/** Who registered the kernel of this name: nobody, this project (or an earlier place of it), somebody else. */
export function ownerOf(paths, jupyter, name) {
  const folder = join(jupyter, 'kernels', name);
  if (!existsSync(folder)) return 'nobody';
  const argv = readJson(join(folder, 'kernel.json'), {}).argv ?? [];
  const own = kernels[name].spec(paths, process.execPath);
  const tail = (arguments_) => arguments_.slice(1).join(' ');
  if (tail(argv) === tail(own.argv)) return 'this project';
  const entry = name === 'assay' ? /kernel[\\/]jupyter\.mjs$/ : /\.assay[\\/]tslab[\\/]node_modules/;
  return argv.some((argument) => entry.test(argument)) ? 'another checkout' : 'somebody else';
}

/** Removes a kernelspec; gives its folder. */
export function removeKernel(jupyter, name) {
  const folder = join(jupyter, 'kernels', name);
  rmSync(folder, { recursive: true });
  return folder;
}
