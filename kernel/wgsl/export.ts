/** "Take a kernel home": one form of one operator as a folder that stands alone. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDifferentiable } from '../../lib/tensor/conformance.js';
import { subgroupKernel } from '../../lib/gpu/source.js';
import type { Operator } from '../../lib/tensor/operator.js';
import type { OperatorRecord } from '../../lib/tensor/record.js';
import { allowedTypes, beyondLimits, combinations, kernelFile, type KernelFile } from './kernels.js';
import { launchParts, launchScript, launchText, sliceForm } from './launch-file.js';
import { checkPage, checkText } from './page-files.js';
import { probes, seenVariants, takesHalf, type Describe } from './probe.js';
import { typeName } from './public-part.js';
import { readmeText } from './readme.js';
import type { Slice, Sources } from './slice.js';
import { makeVectors } from './vectors.js';

export type ExportDtype = 'f32' | 'f16';

/** Files of an export by name, and what a list prints of it. */
export interface Exported {
  operator: string;
  form: string;
  dtypes: ExportDtype[];
  files: Map<string, string>;
  kernels: KernelFile[];
  /** Kernels that need more than WebGPU's default limits, in words. */
  beyond: string[];
  vectors: number;
}

export interface ExportRequest {
  op: Operator;
  form: string;
  /** Element types; default: all that the operator has. */
  dtypes?: readonly ExportDtype[];
  /** Commit of the sources, for the headers. */
  commit: string;
}

/** Forms of an operator that have WGSL kernels. */
export function gpuForms(op: OperatorRecord): string[] {
  return Object.entries(op.forms).flatMap(([form, backends]) => (backends?.webgpu ? [form] : []));
}

/** Element types of an operator's inputs that an export can hold. */
export function exportDtypes(op: OperatorRecord): ExportDtype[] {
  return op.inputs.some(takesHalf) ? ['f32', 'f16'] : ['f32'];
}

const hasGradient = (op: OperatorRecord, form: string) => {
  const implementation = op.forms[form as keyof typeof op.forms]?.webgpu;
  return isDifferentiable(op) && Boolean(implementation?.backward ?? op.gradient);
};

/** Makes the files of an export; nothing is written. */
export async function exportOperator(sources: Sources, request: ExportRequest): Promise<Exported> {
  const { op, form, commit } = request;
  const dtypes = [...(request.dtypes ?? exportDtypes(op.record))];
  const differentiable = hasGradient(op.record, form);
  const slice = sliceForm(sources, op.record.id, form);
  const every = slice.kernels.flatMap((kernel) =>
    combinations(allowedTypes(kernel, [])).map((d) => kernelFile(kernel, d)),
  );
  const licence = await readFile(join(sources.root, 'LICENSE'), 'utf8');
  const header = headerText(op.record, form, commit, licence);
  const make = (kernels: readonly string[], files: readonly KernelFile[]) =>
    launchParts(op.record, slice, form, kernels, files, header, differentiable);
  const describe = await loadDescribe(make(slice.kernels, every), op.record.id);
  const seen = seenVariants(describe, probes(op.record, form, dtypes, differentiable));
  const kernels = chosenFiles(slice, every, seen, dtypes);
  const vectors = await makeVectors(op, form, dtypes, describe, differentiable);
  const launch = make([...new Set(kernels.map((k) => k.kernel))], kernels);
  const [example] = vectors;
  const options = differentiable ? { gradients: 'all' as const } : {};
  const plan = describe(example.inputs, example.parameters, options);
  const beyond = kernels.flatMap(beyondLimits);
  const deviations = await familyDeviations(sources.root, op.record.id);
  const files = new Map<string, string>();
  for (const k of kernels) files.set(k.file, wgslText(k, header));
  files.set('launch.ts', launchText(launch));
  files.set('launch.mjs', launchScript(launch));
  const about = `How to read it: README.md, section Vectors. f64 reference of ${op.record.id}, form ${form}, commit ${commit}.`;
  files.set('vectors.json', JSON.stringify({ operator: op.record.id, form, about, vectors }) + '\n');
  files.set(
    'README.md',
    readmeText({ op: op.record, form, commit, files: kernels, example, plan, beyond, deviations }) + '\n',
  );
  files.set('LICENSE', licence);
  files.set('check.mjs', await checkText(sources.root, header));
  files.set('check.html', checkPage(`${op.record.id} ${form}`, `create${typeName(op.record.id)}`));
  return { operator: op.record.id, form, dtypes, files, kernels, beyond, vectors: vectors.length };
}

/** The variants that calls can ask for. Copies of views are needed at offsets that depend on sizes. */
function chosenFiles(
  slice: Slice,
  every: readonly KernelFile[],
  seen: ReadonlySet<string>,
  dtypes: readonly string[],
): KernelFile[] {
  const copies = slice.hasViews && 'ops/structure/copy';
  return [...new Set(every.map((f) => f.kernel))].flatMap((kernel) => {
    const own = every.filter((f) => f.kernel === kernel && seen.has(f.variant)).map((f) => f.defines);
    if (own.length === 0 && kernel !== copies) return [];
    const variant = subgroupKernel(kernel);
    const found = combinations(allowedTypes(kernel, own)).flatMap((d) => [
      kernelFile(kernel, d),
      ...(variant ? [kernelFile(variant, d)] : []),
    ]);
    return found.filter((f) => dtypes.includes('f16') || !f.features.includes('shader-f16'));
  });
}

/** Licence and origin, as a comment for WGSL and TypeScript alike. */
function headerText(op: OperatorRecord, form: string, commit: string, licence: string): string {
  const copyright = /Copyright.*/.exec(licence)?.[0] ?? '';
  return [
    `// ${op.id}, form ${form}: ${op.summary}.`,
    `// From Assay, commit ${commit}. Sources: ${op.sources.join('; ')}.`,
    `// SPDX-License-Identifier: MIT. ${copyright}; the whole licence lies beside this file in LICENSE.`,
  ].join('\n');
}

/** The section on deviations of a family's page, without its links. */
async function familyDeviations(root: string, id: string): Promise<string> {
  const page = join(root, 'lib/families', id.split('/')[0], 'README.md');
  const text = id.startsWith('ops/') || !existsSync(page) ? '' : await readFile(page, 'utf8');
  const section = /^## Deviations\n+([\s\S]*?)(?=\n## |$(?![\s\S]))/m.exec(text)?.[1] ?? '';
  return section.trim().replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
}

function wgslText(file: KernelFile, header: string): string {
  return `${header}\n// Kernel ${file.variant}.\n${file.text.trimEnd()}\n`;
}

/** The describe function of a launch file, run from a temporary place. */
async function loadDescribe(parts: readonly string[], id: string): Promise<Describe> {
  const folder = await mkdtemp(join(tmpdir(), 'assay-wgsl-'));
  try {
    const file = join(folder, 'launch.mjs');
    await writeFile(file, launchScript(parts));
    const module = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Record<string, Describe>;
    return module[`describe${typeName(id)}`];
  } finally {
    await rm(folder, { recursive: true });
  }
}
