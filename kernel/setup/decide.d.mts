// Types of decide.mjs, for tests.
export const TSLAB_VERSION: string;
export interface Options {
  command: string;
  browser: boolean;
  port: number | undefined;
  offline: string | undefined;
  system: boolean | undefined;
  passed: string[];
}
export interface PythonProbe {
  command?: string[];
  version?: string;
  executable?: string;
  venv?: boolean;
}
type Join = (...parts: string[]) => string;
export function parseArguments(argv: string[]): Options;
export function versionNumbers(text: string | undefined): number[];
export function atLeast(version: number[], floor: number[]): boolean;
export function writeProblem(error: { code?: string; path?: string }): string | undefined;
export function nodeProblem(version: string): string | undefined;
export function pythonCandidates(platform: string, env: Record<string, string | undefined>): string[][];
export function pickPython(
  probes: PythonProbe[],
  platform: string,
): { python?: PythonProbe; problem?: 'none' | 'old' | 'venv'; advice?: string };
export function venvPaths(
  platform: string,
  venv: string,
  join: Join,
): { bin: string; python: string; share: string };
export function wantsBrowser(facts: {
  option: boolean;
  platform: string;
  env: Record<string, string | undefined>;
  terminal: boolean;
}): boolean;
export function jupyterEnvironment(folder: string, join: Join): Record<string, string>;
export function labArguments(facts: {
  port: number;
  root: string;
  browser: boolean;
  superuser: boolean;
}): string[];
export interface Kernelspec {
  argv: string[];
  env?: Record<string, string>;
  display_name: string;
  language: string;
  interrupt_mode: 'message' | 'signal';
  metadata?: Record<string, unknown>;
}
export const KERNEL_ENVIRONMENT: Record<string, string>;
export function assayKernelspec(node: string, root: string, join: Join): Kernelspec;
export function jupyterDataFolder(
  facts: { platform: string; env: Record<string, string | undefined>; home: string },
  join: Join,
): string;
export function tslabKernelspec(node: string, tslabFolder: string, join: Join): Kernelspec;
export function upToDate(
  stamp: Record<string, unknown> | undefined,
  wanted: Record<string, unknown>,
): boolean;
export function notebookAction(hashes: {
  master: string;
  copy: string | undefined;
  recorded: string | undefined;
}): 'create' | 'keep' | 'update' | 'same';
export function lockIsStale(
  lock: { pid?: number; host?: string } | undefined,
  facts: { host: string; alive: boolean; ageSeconds: number },
): boolean;
export function megabytes(bytes: number): string;
export function pipDownloadedBytes(output: string): number;
export function aptDownloadedBytes(output: string): number;
