/** `assay jupyter bench`: the project's kernel and stock tslab, side by side in one run. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { benchJupyter, jupyterTable, type BenchedKernel } from '../bench/jupyter.js';
import { kernelEnvironment } from '../run/kernel-environment.js';
import { parseVerbArgs, positiveNumber, UsageError, type VerbContext } from './verb.js';

const text = { type: 'string' } as const;

/** Runs the benchmark; the exit code. */
export async function bench(args: string[], context: VerbContext): Promise<number> {
  const { values, positionals } = parseVerbArgs({
    args,
    allowPositionals: true,
    options: { rounds: text, starts: text, cells: text, json: { type: 'boolean' } },
  });
  if (positionals.length > 0) throw new UsageError(`bench takes options only, got ${positionals.join(' ')}`);
  const memoryCells = values.cells === '0' ? 0 : (positiveNumber('--cells', values.cells) ?? 1000);
  // A folder of its own below the project's: both kernels find the same declarations of Node there.
  const folder = mkdtempSync(join(context.root, '.assay', 'bench-'));
  process.env.ASSAY_HISTORY = 'off';
  try {
    const rows = await benchJupyter(await kernels(context.root), {
      folder,
      rounds: positiveNumber('--rounds', values.rounds) ?? 50,
      starts: positiveNumber('--starts', values.starts) ?? 5,
      memoryCells,
      progress: context.progress,
    });
    const device = `${os.cpus().length} x ${os.cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`;
    if (values.json) context.json({ device, memoryCells, kernels: rows });
    else context.out(`${device}; medians\n\n${jupyterTable(rows)}`);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function kernels(root: string): Promise<BenchedKernel[]> {
  const assay = join(root, 'kernel', 'jupyter.mjs');
  const tslab = join(root, '.assay', 'tslab', 'node_modules', 'tslab', 'bin', 'tslab');
  if (!existsSync(tslab))
    throw new Error('tslab is not installed: run `node kernel/setup.mjs setup` (or `npm test`) once');
  return [
    {
      name: 'assay',
      argv: [process.execPath, assay, '{connection_file}'],
      env: await kernelEnvironment(root),
    },
    {
      name: 'tslab',
      argv: [
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        tslab,
        'kernel',
        '--config-path',
        '{connection_file}',
      ],
    },
  ];
}
