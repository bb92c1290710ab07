/** Typed access to set-up's plain modules (kernel/setup), which run before anything is compiled. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface AdapterFacts {
  found: boolean;
  loadable: boolean;
  software?: boolean;
  reason?: string;
  info?: { vendor: string; architecture: string; device: string; description: string };
  features?: string[];
  limits?: Record<string, number>;
}

export interface MachineFacts {
  adapter: AdapterFacts;
  python: { version: string; executable: string } | null;
  pythonAdvice?: string;
  nodeProblem?: string;
  jupyterlab: string | null;
  kernels: string[];
  tslab: string | null;
  /** The project's own kernel is built. */
  assayKernel: boolean;
  venv: string | null;
  /** Command that would install what is missing, and who may run it. */
  system: { command?: string; reasons: string[]; gaps: string[]; undo: string[] };
}

export type KernelName = 'assay' | 'tslab';

/** Kernelspecs under a Jupyter folder. */
export interface Registration {
  /** `share/jupyter` of a prefix, or the user's own Jupyter folder. */
  folder(place: { prefix?: string }): string;
  /** Why the kernel cannot run here, or undefined. */
  missing(name: KernelName): string | undefined;
  owner(jupyter: string, name: KernelName): 'nobody' | 'this project' | 'another checkout' | 'somebody else';
  /** Gives the kernelspec's folder. */
  register(jupyter: string, name: KernelName, node: string): string;
  remove(jupyter: string, name: KernelName): string;
}

export interface SetupModules {
  gatherFacts(): Promise<MachineFacts>;
  registration: Registration;
  /** Prefix of the project's own virtual environment. */
  venv: string;
  venvExists(): boolean;
}

/** Loads kernel/setup/facts.mjs from the project's folder. */
export async function loadSetup(root: string): Promise<SetupModules> {
  const file = join(root, 'kernel', 'setup', 'facts.mjs');
  return (await import(pathToFileURL(file).href)) as SetupModules;
}
