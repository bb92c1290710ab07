/** `assay jupyter install|uninstall`: registers the project's kernel with a Jupyter installation. */
import { resolve } from 'node:path';
import { spawnSync } from 'node:child_process';
import { loadSetup } from './setup-bridge.js';
import { UsageError, parseVerbArgs, type Verb } from './verb.js';

export const verb: Verb = {
  name: 'jupyter',
  summary: 'register the TypeScript kernel with a Jupyter installation, or remove it',
  usage: `Usage: assay jupyter install|uninstall [--sys-prefix | --prefix DIR] [--json]

Writes (or removes) the kernelspec "tslab" under PREFIX/share/jupyter/kernels.

  (default)      the project's own .venv
  --sys-prefix   the Python that answers to \`python3\` here (an active virtual or conda environment)
  --prefix DIR   the installation at DIR
  --json         print {"action", "kernelspec"}`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      allowPositionals: true,
      options: { 'sys-prefix': { type: 'boolean' }, prefix: { type: 'string' }, json: { type: 'boolean' } },
    });
    const [action] = positionals;
    if (positionals.length !== 1 || (action !== 'install' && action !== 'uninstall'))
      throw new UsageError('say install or uninstall');
    if (values['sys-prefix'] && values.prefix !== undefined)
      throw new UsageError('--sys-prefix and --prefix exclude each other');
    const setup = await loadSetup(context.root);
    let prefix = setup.venv;
    if (values.prefix !== undefined) prefix = resolve(values.prefix);
    else if (values['sys-prefix']) prefix = systemPrefix();
    else if (!setup.venvExists())
      throw new Error(
        'there is no .venv yet: run `npm start` once, or name an installation with --prefix DIR',
      );
    const kernelspec = action === 'install' ? setup.registerUnder(prefix) : setup.unregisterUnder(prefix);
    if (kernelspec === undefined) throw new Error(`no kernel "tslab" is registered under ${prefix}`);
    if (values.json) context.json({ action, kernelspec });
    else context.out(`${action === 'install' ? 'registered' : 'removed'} ${kernelspec}`);
    return 0;
  },
};

function systemPrefix(): string {
  for (const command of process.platform === 'win32' ? ['python', 'py'] : ['python3', 'python']) {
    const { status, stdout } = spawnSync(command, ['-c', 'import sys; print(sys.prefix)'], {
      encoding: 'utf8',
    });
    if (status === 0 && stdout.trim()) return stdout.trim();
  }
  throw new Error('no Python answers here: name the installation with --prefix DIR');
}
