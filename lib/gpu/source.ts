/**
 * WGSL text. Files are plain WGSL, valid as they stand in the f32 variant. Two comments are instructions:
 * `// include shared/x.wgsl` inserts a shared file, and a declaration that ends in `// define: a | b` may have its
 * value replaced before compilation (what types, extensions and array sizes need); the list names the tested values.
 * `x-subgroups.wgsl` is x.wgsl with subgroup operations and opens with `enable subgroups;`.
 */
import { ArgumentError, DeviceError, show } from '../core/errors.js';
import { wgsl } from '../generated/wgsl.js';

export type Defines = Record<string, string | number>;
export type Overrides = Record<string, number>;

/** A binding of a kernel as its text declares it. */
export interface BindingInfo {
  name: string;
  binding: number;
  kind: 'uniform' | 'read' | 'write';
}

export interface FieldInfo {
  name: string;
  type: 'u32' | 'i32' | 'f32';
  offset: number;
  /** 1 for scalars; element count of `array<vec4<...>, n>` fields times four. */
  length: number;
}

export interface SourceInfo {
  name: string;
  /** Text with includes expanded. */
  text: string;
  bindings: BindingInfo[];
  fields: FieldInfo[];
  uniformBytes: number;
  /** Values each define is tested with; the first is the default. */
  defines: Record<string, string[]>;
}

const parsed = new Map<string, SourceInfo>();
/** How the name of a variant with subgroup operations ends. */
const SUBGROUPS = '-subgroups';
const DEFINE = /^((?:alias|const)\s+(\w+)[^=]*=\s*)([^;]+);\s*\/\/ define: (.*)$/gm;

/** Names of all entry-point files, sorted. */
export function kernelNames(): string[] {
  return Object.keys(wgsl)
    .filter((name) => !name.startsWith('shared/'))
    .sort();
}

/** The file that a device with subgroups takes instead of a kernel, if there is one: same bindings, same dispatches. */
export function subgroupKernel(name: string): string | undefined {
  return name + SUBGROUPS in wgsl ? name + SUBGROUPS : undefined;
}

/** The kernel that a file is a variant of: itself, or the one without subgroups. */
export function plainKernel(name: string): string {
  return name.endsWith(SUBGROUPS) ? name.slice(0, -SUBGROUPS.length) : name;
}

/** Reads one kernel file. @throws ArgumentError for an unknown name */
export function kernelSource(name: string): SourceInfo {
  let info = parsed.get(name);
  if (!info) parsed.set(name, (info = parse(name)));
  return info;
}

function parse(name: string): SourceInfo {
  if (!(name in wgsl))
    throw new ArgumentError(`kernel: name must be a file under kernels-wgsl, got ${show(name)}`);
  const text = expand(wgsl[name], new Set());
  const bindings = [
    ...text.matchAll(/@group\(0\) @binding\((\d+)\) var<(uniform|storage, read_write|storage, read)> (\w+)/g),
  ].map((m): BindingInfo => ({
    name: m[3],
    binding: Number(m[1]),
    kind: m[2] === 'uniform' ? 'uniform' : m[2] === 'storage, read' ? 'read' : 'write',
  }));
  const defines: Record<string, string[]> = {};
  for (const m of text.matchAll(DEFINE)) defines[m[2]] = m[4].split('|').map((v) => v.trim());
  return { name, text, bindings, defines, ...parseFields(name, text) };
}

function expand(text: string, seen: Set<string>): string {
  return text.replace(/^\/\/ include (shared\/[\w-]+)\.wgsl$/gm, (_, file: string) => {
    if (seen.has(file)) return '';
    seen.add(file);
    if (!(file in wgsl)) throw new DeviceError(`kernel: include must exist, got ${show(file)}`);
    return expand(wgsl[file], seen);
  });
}

function parseFields(name: string, text: string): { fields: FieldInfo[]; uniformBytes: number } {
  const body = /struct Params \{([^}]*)\}/.exec(text)?.[1] ?? '';
  const fields: FieldInfo[] = [];
  let offset = 0;
  for (const m of body.matchAll(/(\w+): (?:array<vec4<(u32|i32|f32)>, (\d+)>|(u32|i32|f32)),/g)) {
    const length = m[3] ? Number(m[3]) * 4 : 1;
    if (m[3]) offset = Math.ceil(offset / 16) * 16;
    fields.push({ name: m[1], type: (m[2] ?? m[4]) as FieldInfo['type'], offset, length });
    offset += 4 * length;
  }
  const uniformBytes = Math.max(16, Math.ceil(offset / 16) * 16);
  if (uniformBytes > 256)
    throw new DeviceError(`kernel: Params of ${name} must fit into 256 bytes, got ${uniformBytes}`);
  return { fields, uniformBytes };
}

/** The compilable text of a variant: defines replaced, extensions enabled first. */
export function kernelText(name: string, defs: Defines = {}): string {
  const info = kernelSource(name);
  for (const key of Object.keys(defs))
    if (!(key in info.defines))
      throw new ArgumentError(
        `kernel: defs of ${name} must be among ${Object.keys(info.defines).join(', ')}, got ${show(key)}`,
      );
  const text = info.text.replace(DEFINE, (line, head: string, key: string) =>
    key in defs ? `${head}${defs[key]};` : line,
  );
  return (Object.values(defs).includes('f16') ? 'enable f16;\n' : '') + text;
}

/** One compilable variant of a kernel file. */
export interface KernelVariant {
  name: string;
  defs: Defines;
  features: readonly ('shader-f16' | 'subgroups')[];
}

/** Every file, those with subgroups too, times every listed define; what the null-backend test compiles. */
export function kernelVariants(): KernelVariant[] {
  return kernelNames().flatMap((name) => {
    let combinations: Defines[] = [{}];
    for (const [key, values] of Object.entries(kernelSource(name).defines))
      combinations = combinations.flatMap((c) => values.map((v) => ({ ...c, [key]: v })));
    const subgroups = plainKernel(name) === name ? [] : (['subgroups'] as const);
    return combinations.map((defs) => ({
      name,
      defs,
      features: Object.values(defs).includes('f16') ? (['shader-f16', ...subgroups] as const) : subgroups,
    }));
  });
}

/** Packs named values after the layout of `struct Params`. */
export function packParams(
  info: Pick<SourceInfo, 'name' | 'fields'>,
  values: Record<string, number | readonly number[]>,
  target: DataView,
  base: number,
): void {
  for (const field of info.fields) {
    const value = values[field.name];
    const list = typeof value === 'number' ? [value] : value;
    if (!list || list.length > field.length)
      throw new ArgumentError(
        `kernel: params of ${info.name} must give ${field.name} (${field.length} values), got ${show(value)}`,
      );
    for (let i = 0; i < field.length; i++) {
      const at = base + field.offset + 4 * i;
      if (field.type === 'f32') target.setFloat32(at, list[i] ?? 0, true);
      else if (field.type === 'i32') target.setInt32(at, list[i] ?? 0, true);
      else target.setUint32(at, list[i] ?? 0, true);
    }
  }
}
