// Where everything of the project stands.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { venvPaths } from './decide.mjs';

/** All paths set-up uses, from the project's folder. */
export function pathsOf(root) {
  const own = join(root, '.assay');
  return {
    root,
    own,
    state: join(own, 'state.json'),
    lock: join(own, 'setup.lock'),
    labLog: join(own, 'lab.log'),
    testResults: join(own, 'test-results.json'),
    notebooksRecord: join(own, 'notebooks.json'),
    modules: join(root, 'node_modules'),
    venv: join(root, '.venv'),
    venvAt: venvPaths(process.platform, join(root, '.venv'), join),
    requirements: join(root, 'kernel', 'requirements.txt'),
    logos: join(root, 'kernel', 'setup', 'logo'),
    tslabManifest: join(root, 'kernel', 'tslab'),
    tslab: join(own, 'tslab'),
    notebooks: join(root, 'notebooks'),
    my: join(root, 'my'),
  };
}

/** Paths of the project this file belongs to. */
export const paths = pathsOf(join(dirname(fileURLToPath(import.meta.url)), '..', '..'));
