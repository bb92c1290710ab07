/** Puts a launch file together: public part, tables, runtime and host code. */
import ts from 'typescript';
import { kernelSource, plainKernel } from '../../lib/gpu/source.js';
import type { OperatorRecord } from '../../lib/tensor/record.js';
import { sizeDefines, typeDefines, type KernelFile } from './kernels.js';
import { publicNames, publicPart } from './public-part.js';
import { sliceOperator, type Slice, type Sources } from './slice.js';

const ROOTS = [
  'Launcher',
  'OperatorPlan',
  'planCall',
  'describePlan',
  'KernelInfo',
  'LaunchOptions',
  'Bindable',
  'ShapeSpec',
  'PlanOptions',
  'PlanInfo',
  'DispatchInfo',
  'TensorInfo',
];
/** Errors that a launch file exports, from lib/core. */
const ERRORS = ['ArgumentError', 'DeviceError', 'DtypeError', 'ShapeError'];

/** Host code of one form. */
export function sliceForm(sources: Sources, id: string, form: string): Slice {
  return sliceOperator(sources, id, form, ROOTS, ERRORS, publicNames(id));
}

const json = (value: unknown) => JSON.stringify(value);

/** What the runtime finds in its tables. */
function tables(form: string, kernels: readonly string[], files: readonly KernelFile[]): string {
  // Subgroup variants have the bindings of their kernel.
  const infos = [...new Set(kernels.map(plainKernel))].map((kernel) => {
    const { bindings, fields, uniformBytes } = kernelSource(kernel);
    const rows = [
      ...['bindings: [', ...bindings.map((b) => `  ${json(b)},`), '],'],
      ...['fields: [', ...fields.map((f) => `  ${json(f)},`), '],'],
      `uniformBytes: ${uniformBytes},`,
      `types: ${json(typeDefines(kernel))},`,
      `sizes: ${json(Object.keys(sizeDefines(kernel)))},`,
    ];
    return `  ${json(kernel)}: {\n${rows.map((r) => `    ${r}`).join('\n')}\n  },`;
  });
  const variants = files.map(
    (f) => `  ${json(f.variant)}: { file: ${json(f.file)}, features: ${json(f.features)} },`,
  );
  const places = files.map((f) => `  ${json(f.file)}: new URL(${json(`./${f.file}`)}, import.meta.url),`);
  return `/** Form of the operator that was exported. */
const FORM: string = ${json(form)};

/** Bindings, uniform layout in bytes, element types and constants of each kernel. */
const KERNELS: Readonly<Record<string, KernelInfo>> = {
${infos.join('\n')}
};

/** File of each kernel variant, and the features it needs. */
const VARIANTS: Readonly<Record<string, { file: string; features: readonly string[] }>> = {
${variants.join('\n')}
};

/** Where the files lie: beside this module. */
const FILES: Readonly<Record<string, URL>> = {
${places.join('\n')}
};`;
}

const rule = (title: string) => `// ---- ${title} ${'-'.repeat(Math.max(4, 110 - title.length))}`;

/** The text of launch.ts in parts: comments, or statements that are whole. */
export function launchParts(
  op: OperatorRecord,
  slice: Slice,
  form: string,
  kernels: readonly string[],
  files: readonly KernelFile[],
  header: string,
  differentiable: boolean,
): string[] {
  return [
    header,
    rule('What a page calls'),
    publicPart(op, slice.operator, differentiable),
    rule('Kernels'),
    tables(form, kernels, files),
    rule(`Host code of ${op.id} and what runs it, as in the library`),
    ...slice.statements,
  ];
}

/** launch.ts. */
export const launchText = (parts: readonly string[]) => parts.join('\n\n') + '\n';

/** Parts that were translated: exports share the runtime and much host code. */
const translated = new Map<string, string>();

/** launch.mjs: the same as JavaScript. */
export function launchScript(parts: readonly string[]): string {
  const scripts = parts.map((part) => {
    if (part.split('\n').every((line) => line.startsWith('//'))) return part;
    let script = translated.get(part);
    if (script === undefined) translated.set(part, (script = javascriptOf(part).trim()));
    return script;
  });
  return scripts.filter((script) => script !== '').join('\n\n') + '\n';
}

/** JavaScript of a TypeScript text, comments kept. */
export function javascriptOf(text: string): string {
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022, removeComments: false },
  });
  return outputText;
}
