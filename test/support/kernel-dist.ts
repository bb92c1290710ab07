/** Where the compiled kernel is: tests that start threads or processes need JavaScript. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../structure/support.js';

/** Folder that holds kernel/user/main.js; ASSAY_TEST_DIST names another build than dist. */
export function kernelDist(): string {
  const folder = join(root, process.env.ASSAY_TEST_DIST ?? 'dist');
  if (!existsSync(join(folder, 'kernel', 'user', 'main.js')))
    throw new Error(`kernelDist: ${folder} must hold the compiled kernel; run node kernel/build.mjs`);
  return folder;
}
