// Types of kernelspecs.mjs, for tests.
export type KernelName = 'assay' | 'tslab';
export interface KernelPaths {
  root: string;
  tslab: string;
  logos: string;
}
export function jupyterFolder(place: { prefix?: string }): string;
export function registerKernel(paths: KernelPaths, jupyter: string, name: KernelName, node?: string): string;
export function ownerOf(
  paths: KernelPaths,
  jupyter: string,
  name: KernelName,
): 'nobody' | 'this project' | 'another checkout' | 'somebody else';
export function removeKernel(jupyter: string, name: KernelName): string;
