/** The variables that the kernelspec `assay` sets, for kernels started without Jupyter. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Read from set-up's plain modules, which are not compiled. */
export async function kernelEnvironment(root: string): Promise<Record<string, string>> {
  const decide = pathToFileURL(join(root, 'kernel', 'setup', 'decide.mjs')).href;
  const { KERNEL_ENVIRONMENT } = (await import(decide)) as { KERNEL_ENVIRONMENT: Record<string, string> };
  return KERNEL_ENVIRONMENT;
}
