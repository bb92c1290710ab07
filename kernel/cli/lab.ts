/** `assay lab`: the same as `npm start`. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Verb } from './verb.js';

export const verb: Verb = {
  name: 'lab',
  summary: 'set up what is missing and open JupyterLab at my/start.ipynb',
  usage: `Usage: assay lab [--no-browser] [--port N] [--offline DIR] [--system | --no-system]

Sets up what is missing (each step is skipped when up to date), copies the notebooks into my/ (a changed copy
is kept) and starts JupyterLab on 127.0.0.1 with a random token. Ctrl-C stops it. The same as \`npm start\`.

  --no-browser   print the address instead of opening it
  --port N       listen on port N (default: a free one)
  --offline DIR  take packages from DIR, made by \`node kernel/setup.mjs pack DIR\`
  --system       install missing system packages (Debian and its likes, as root)
  --no-system    never touch system packages`,
  run(args, { root, signal }) {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [join(root, 'kernel', 'setup.mjs'), 'start', ...args], {
        stdio: 'inherit',
        cwd: root,
      });
      signal.addEventListener('abort', () => child.kill('SIGTERM'));
      child.on('error', reject);
      child.on('exit', (code) => resolve(code ?? 1));
    });
  },
};
