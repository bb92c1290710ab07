/** `assay wgsl`: kernels as folders that stand alone. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { operators } from '../../lib/index.js';
import type { Operator } from '../../lib/tensor/operator.js';
import { codeState } from '../ledger/provenance.js';
import type { ExportDtype, Exported } from '../wgsl/export.js';
import { parseVerbArgs, UsageError, type Verb, type VerbContext } from './verb.js';

export const verb: Verb = {
  name: 'wgsl',
  summary: 'take a kernel home: WGSL, typed launch code and test vectors in one folder',
  usage: `Usage: assay wgsl list [--json]
       assay wgsl export OP [--form F] [--dtype f32,f16] [--out DIR] [--force] [--json]

list names the operators, their forms with WGSL kernels, and the kernels each uses.
export writes a folder that needs nothing of Assay: one .wgsl file a kernel and variant (valid alone, within WebGPU's
default limits), launch.ts (typed; forward and backward for any sizes on your own GPUDevice), launch.mjs (the same for a
page without a build), vectors.json, check.html and README.md. Default: the first form, all element types of the
operator, runs/wgsl/OP-FORM. A folder with files in it is only replaced with --force.

Examples:
  assay wgsl export selective-scan --form recurrent --out my/scan
  assay wgsl export ops/rms-norm --dtype f32`,
  async run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      options: {
        form: { type: 'string' },
        dtype: { type: 'string' },
        out: { type: 'string' },
        force: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      allowPositionals: true,
    });
    const [action, id, ...rest] = positionals;
    if (action === 'list' && id === undefined) return list(values.json === true, context);
    if (action === 'export' && id !== undefined && rest.length === 0) return write(id, values, context);
    throw new UsageError('wgsl needs list, or export and one operator');
  },
};

interface Options {
  form?: string;
  dtype?: string;
  out?: string;
  force?: boolean;
  json?: boolean;
}

async function list(json: boolean, context: VerbContext): Promise<number> {
  const { exportDtypes, gpuForms } = await import('../wgsl/export.js');
  const { openSources } = await import('../wgsl/slice.js');
  const { sliceForm } = await import('../wgsl/launch-file.js');
  const sources = openSources(context.root);
  const rows = operators().flatMap(({ record }) =>
    gpuForms(record).map((form) => {
      const kernels = sliceForm(sources, record.id, form).kernels.filter((k) => k !== 'ops/structure/copy');
      return { operator: record.id, form, dtypes: exportDtypes(record), kernels };
    }),
  );
  if (json) context.json(rows);
  else
    for (const r of rows)
      context.out(
        `${r.operator.padEnd(22)} ${r.form.padEnd(10)} ${r.dtypes.join(',').padEnd(8)} ${r.kernels.join(' ')}`,
      );
  return 0;
}

/** The operator and the form asked for, or an error that names the choices. */
function choose(id: string, form: string | undefined, forms: (op: Operator) => string[]): [Operator, string] {
  const withKernels = operators().filter((o) => forms(o).length > 0);
  const op = withKernels.find((o) => o.record.id === id);
  if (!op)
    throw new UsageError(
      `export needs an operator with WGSL kernels (${withKernels.map((o) => o.record.id).join(', ')}), got "${id}"`,
    );
  const own = forms(op);
  if (form !== undefined && !own.includes(form))
    throw new UsageError(`--form must be one of ${own.join(', ')} for ${id}, got "${form}"`);
  return [op, form ?? own[0]];
}

function dtypesOf(text: string | undefined, id: string, all: readonly ExportDtype[]): ExportDtype[] {
  const asked = text?.split(',') ?? all;
  for (const dtype of asked)
    if (!(all as readonly string[]).includes(dtype))
      throw new UsageError(`--dtype must be among ${all.join(',')} for ${id}, got "${dtype}"`);
  return all.filter((dtype) => asked.includes(dtype));
}

async function write(id: string, options: Options, context: VerbContext): Promise<number> {
  const { exportDtypes, exportOperator, gpuForms } = await import('../wgsl/export.js');
  const [op, form] = choose(id, options.form, (o) => gpuForms(o.record));
  const dtypes = dtypesOf(options.dtype, id, exportDtypes(op.record));
  const name = `${id.replaceAll('/', '-')}-${form}`;
  const folder = options.out === undefined ? join(context.root, 'runs/wgsl', name) : resolve(options.out);
  await checkFolder(folder, options.force === true);
  const { openSources } = await import('../wgsl/slice.js');
  const { code, dirty } = await codeState(context.root);
  const commit = dirty ? `${code.commit} with changes` : code.commit;
  context.signal.throwIfAborted();
  const made = await exportOperator(openSources(context.root), { op, form, dtypes, commit });
  await mkdir(folder, { recursive: true });
  await removeOldKernels(folder, made.files);
  for (const [file, text] of made.files) await writeFile(join(folder, file), text);
  print(made, folder, options.json === true, context);
  return 0;
}

/** Kernels of an earlier export there that are no part of this one. */
async function removeOldKernels(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.wgsl') || files.has(name)) continue;
    const text = await readFile(join(folder, name), 'utf8');
    if (text.includes('\n// From Assay, commit ')) await rm(join(folder, name));
  }
}

async function checkFolder(folder: string, force: boolean): Promise<void> {
  const present = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw new UsageError(`--out must be a folder that can be made, got ${folder} (${error.message})`);
  });
  if (present.length > 0 && !force)
    throw new UsageError(
      `--out must be an empty or a new folder, got ${folder}; --force replaces an export there`,
    );
}

function print(made: Exported, folder: string, json: boolean, context: VerbContext): void {
  const { operator, form, dtypes, kernels, beyond, vectors } = made;
  const bytes = [...made.files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const files = [...made.files.keys()];
  if (json) return context.json({ operator, form, dtypes, folder, files, bytes, vectors, beyond });
  context.out(
    `${operator} ${form} (${dtypes.join(', ')}): ${kernels.length} WGSL files, ${vectors} vectors, ${(bytes / 1024).toFixed(0)} KiB in ${folder}`,
  );
  for (const line of beyond) context.out(`beyond the default limits: ${line}`);
  context.out('README.md there says how to use it; check.html runs the vectors.');
}
