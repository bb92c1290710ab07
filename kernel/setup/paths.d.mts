// Types of paths.mjs, for tests.
import type { KernelPaths } from './kernelspecs.mjs';
export const paths: KernelPaths & { my: string; notebooks: string; venv: string };
