/** How operators run kernels: tensors by the names of the WGSL bindings, parameters by the names of its struct. */
import { dtypeBytes, type Dtype } from '../core/dtype.js';
import { DtypeError } from '../core/errors.js';
import type { Shape } from '../core/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { GpuRange } from './command.js';
import type { GpuContext } from './context.js';
import { gpuContext } from './device.js';
import type { GpuBlock } from './pool.js';
import { kernelSource, type Defines, type Overrides } from './source.js';

export interface Dispatch {
  /** Operator id, for messages. */
  where: string;
  /** File under kernels-wgsl without `.wgsl`. */
  kernel: string;
  defs?: Defines;
  overrides?: Overrides;
  /** By binding name; undefined stands for an absent optional input. */
  tensors: Record<string, Tensor | undefined>;
  params: Record<string, number | readonly number[]>;
  /** Invocations wanted by a kernel that indexes with shared/linear; 256 to a workgroup. */
  threads?: number;
  /** Workgroups wanted by a kernel that works row by row (shared/rows); folded to two dimensions. */
  rows?: number;
  /** Workgroups as they are. */
  groups?: readonly [number, number, number];
  /** Rough operations, for deciding when to submit. */
  work?: number;
}

const MOST = 65535;
const ALIGN = 256;
/** A binding must hold one element of its array, also when the tensor is empty; the widest is 24 bytes. */
const LEAST = 32;

/** Records one kernel. Nothing is recorded when it has no work. */
export function dispatch(d: Dispatch): void {
  const context = gpuContext(d.where);
  const groups = d.groups ?? fold(d.rows ?? Math.ceil((d.threads ?? 0) / 256));
  if (groups.some((g) => g === 0)) return;
  const info = kernelSource(d.kernel);
  const prepared = context.pipelines.prepare(d.kernel, d.defs ?? {}, d.overrides ?? {});
  const temporary: Tensor[] = [];
  const ranges = info.bindings.map((b) => {
    const t = b.kind === 'uniform' ? undefined : d.tensors[b.name];
    return t && rangeOf(context, d.where, t, temporary);
  });
  const work = d.work ?? (d.rows ? d.rows * 256 : (d.threads ?? 0));
  context.record({ operator: d.where, prepared, ranges, params: d.params, groups, work });
  for (const t of temporary) t.dispose();
}

function fold(groups: number): [number, number, number] {
  if (groups <= MOST) return [groups, 1, 1];
  const y = Math.ceil(groups / MOST);
  return [Math.ceil(groups / y), y, 1];
}

/** The binding range of a tensor; a view at an offset the device cannot bind is copied first. */
function rangeOf(context: GpuContext, where: string, t: Tensor, temporary: Tensor[]): GpuRange {
  const { handle, offset, size } = t.gpuBinding(where);
  const block = handle as GpuBlock;
  if (offset % ALIGN === 0)
    return { block, offset, size: Math.min(block.capacity - offset, Math.max(LEAST, (size + 3) & ~3)) };
  const copy = Tensor.empty(t.shape, t.dtype, 'gpu', where);
  temporary.push(copy);
  const base = offset - (offset % ALIGN);
  const width = dtypeBytes(t.dtype);
  const prepared = context.pipelines.prepare('ops/structure/copy', { T: bitsType(t.dtype) }, {});
  const to = copy.gpuBinding(where);
  const source = {
    block,
    offset: base,
    size: Math.min(block.capacity - base, (offset - base + size + 3) & ~3),
  };
  const target = { block: to.handle as GpuBlock, offset: 0, size: Math.max(LEAST, (to.size + 3) & ~3) };
  const params = { count: t.size, offset: (offset - base) / width };
  const groups = fold(Math.ceil(t.size / 256));
  context.record({
    operator: where,
    prepared,
    ranges: [undefined, source, target],
    params,
    groups,
    work: t.size,
  });
  return target;
}

/** WGSL type that moves elements of a dtype bit by bit. */
export function bitsType(dtype: Dtype): 'u32' | 'f16' {
  return dtype === 'f16' ? 'f16' : 'u32';
}

/** WGSL type of the stored elements of a float tensor. */
export function floatType(where: string, t: Tensor): 'f32' | 'f16' {
  if (t.dtype === 'f32' || t.dtype === 'f16') return t.dtype;
  throw new DtypeError(`${where}: dtype must be f32 or f16 on the GPU, got ${t.dtype}`);
}

/** An uninitialised GPU tensor. */
export function gpuEmpty(where: string, shape: Shape, dtype: Dtype = 'f32'): Tensor {
  return Tensor.empty(shape, dtype, 'gpu', where);
}
