/** The WGSL files of an export: which variants of which kernels, flattened, and what they ask of a device. */
import { constantValue } from './constants.js';
import { REQUIRED_LIMITS } from '../../lib/gpu/device.js';
import { kernelSource, kernelText, plainKernel, type Defines } from '../../lib/gpu/source.js';

/** One file of an export. */
export interface KernelFile {
  kernel: string;
  defines: Defines;
  /** Kernel and defines, as the launcher asks for it. */
  variant: string;
  file: string;
  features: string[];
  /** Compilable text without header. */
  text: string;
}

/** What one kernel uses, whatever the variant; at most WebGPU's default limits. */
export interface KernelNeeds {
  workgroup: [number, number, number];
  storageBuffers: number;
  workgroupBytes: number;
}

const isType = (v: string | number) => /^(f32|f16|i32|u32)$/.test(String(v));

/** Element types that a kernel's text is compiled for, by the name of the alias, with the default. */
export function typeDefines(kernel: string): Record<string, string> {
  const all = Object.entries(kernelSource(kernel).defines);
  return Object.fromEntries(all.filter(([, v]) => v.every(isType)).map(([k, v]) => [k, v[0]]));
}

/** Constants that a launch writes into a kernel's text, because arrays need them: names and tested values. */
export function sizeDefines(kernel: string): Record<string, string[]> {
  const all = Object.entries(kernelSource(kernel).defines);
  return Object.fromEntries(all.filter(([, v]) => !v.every(isType)));
}

function variantName(kernel: string, defines: Defines): string {
  return [kernel, ...Object.entries(defines).map(([k, v]) => `${k}=${v}`)].join(' ');
}

/** `ops/norm/forward` in f16 becomes `norm-forward.f16.wgsl`, its subgroup variant `norm-forward.f16.subgroups.wgsl`. */
function fileName(kernel: string, defines: Defines): string {
  const plain = plainKernel(kernel);
  const stem = plain.split('/').slice(1).join('-');
  const entries = Object.entries(defines);
  const parts = entries.map(([k, v]) => (entries.length === 1 ? `${v}` : `${k.toLowerCase()}-${v}`));
  return [stem, ...parts, ...(plain === kernel ? [] : ['subgroups'])].join('.') + '.wgsl';
}

/** A flattened variant: includes expanded, types replaced, extensions enabled first. */
export function kernelFile(kernel: string, given: Defines): KernelFile {
  const defines = { ...typeDefines(kernel), ...given };
  const text = kernelText(kernel, defines).replace(/\/\/ define: .*$/gm, '// launch.ts sets it');
  const extensions = [...text.matchAll(/^enable ([\w, ]+);/gm)].flatMap((m) => m[1].split(/, */));
  const features = extensions.map((e) => (e === 'f16' ? 'shader-f16' : e));
  return {
    kernel,
    defines,
    variant: variantName(kernel, defines),
    file: fileName(kernel, defines),
    features,
    text,
  };
}

/** The text of a file for other values of its sizes, as the launcher makes it. */
export function withSizes(text: string, sizes: Defines): string {
  return Object.entries(sizes).reduce(
    (t, [name, value]) => t.replace(new RegExp(`^(const ${name} = )\\w+;`, 'm'), `$1${value};`),
    text,
  );
}

/** Every combination of the values allowed for each define. */
export function combinations(allowed: Record<string, readonly string[]>): Defines[] {
  let found: Defines[] = [{}];
  for (const [key, values] of Object.entries(allowed))
    found = found.flatMap((c) => values.map((v) => ({ ...c, [key]: v })));
  return found;
}

/**
 * Types of each define that calls can ask for: those that were seen in plans, and f32 beside f16, because partial sums
 * are f32. With nothing seen: every type.
 */
export function allowedTypes(kernel: string, seen: readonly Defines[]): Record<string, string[]> {
  const allowed: Record<string, string[]> = {};
  for (const key of Object.keys(typeDefines(kernel))) {
    const found = new Set(seen.map((defines) => String(defines[key])));
    allowed[key] = kernelSource(kernel).defines[key].filter(
      (v) => seen.length === 0 || found.has(v) || (v === 'f32' && found.has('f16')),
    );
  }
  return allowed;
}

const SCALAR: Record<string, number> = { f32: 4, i32: 4, u32: 4, f16: 2, bool: 4 };

/** Bytes of a type of workgroup variables. */
function typeBytes(type: string, text: string): number {
  const array = /^array<(\w+|\w+<\w+>), *(.+)>$/.exec(type);
  if (array) return typeBytes(array[1], text) * constantValue(array[2], text);
  const vector = /^vec([234])<(\w+)>$/.exec(type);
  if (vector) return SCALAR[vector[2]] * (vector[1] === '2' ? 2 : 4);
  if (type in SCALAR) return SCALAR[type];
  const alias = new RegExp(`alias ${type} = ([^;]+);`).exec(text)?.[1];
  if (alias) return typeBytes(alias, text);
  const body = new RegExp(`struct ${type} \\{([^}]*)\\}`).exec(text)?.[1];
  if (!body) throw new Error(`wgsl export: workgroup variables must have a known type, got ${type}`);
  const fields = [...body.matchAll(/\w+: ([^,]+(?:<[^>]*>)?),/g)].map((m) => typeBytes(m[1], text));
  return fields.reduce((sum, bytes) => sum + Math.ceil(bytes / 4) * 4, 0);
}

/** What a kernel asks of a device; of workgroup memory the most that any tested size takes. */
export function needsOf({ kernel, text }: KernelFile): KernelNeeds {
  const listed = /@workgroup_size\(([^)]*)\)/.exec(text)![1].split(',');
  const size = listed.map((s) => constantValue(s, text));
  const variants = combinations(sizeDefines(kernel)).map((sizes) => withSizes(text, sizes));
  return {
    workgroup: [size[0], size[1] ?? 1, size[2] ?? 1],
    storageBuffers: kernelSource(kernel).bindings.filter((b) => b.kind !== 'uniform').length,
    workgroupBytes: Math.max(...variants.map(workgroupBytes)),
  };
}

function workgroupBytes(text: string): number {
  const types = [...text.matchAll(/^var<workgroup> \w+: ([^;]+);/gm)].map((m) => m[1]);
  return types.reduce((sum, type) => sum + Math.ceil(typeBytes(type, text) / 16) * 16, 0);
}

/** Words for everything in which a kernel exceeds WebGPU's default limits; empty when it keeps to them. */
export function beyondLimits(file: KernelFile): string[] {
  const { workgroup, storageBuffers, workgroupBytes: shared } = needsOf(file);
  const invocations = workgroup[0] * workgroup[1] * workgroup[2];
  const checks: [string, number, number][] = [
    ['storage buffers', storageBuffers, REQUIRED_LIMITS.maxStorageBuffersPerShaderStage],
    ['bytes of workgroup memory', shared, REQUIRED_LIMITS.maxComputeWorkgroupStorageSize],
    ['invocations', invocations, REQUIRED_LIMITS.maxComputeInvocationsPerWorkgroup],
  ];
  return checks.flatMap(([what, has, most]) =>
    has <= most ? [] : [`${file.file} needs ${has} ${what}, more than the default limit of ${most}`],
  );
}
