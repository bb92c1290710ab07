/** What the record of softmax attention checks beyond shapes, and the numbers its cases draw. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import type { Call, Params } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { rangeOf, reachOf } from './layout.js';

const ID = 'softmax-attention';

export function checkAttention(call: Call): void {
  const { Tk, H, Hkv, K, V } = call.dims;
  const keys = (call.params.keys as number | undefined) ?? Tk;
  if (Hkv === 0 || H % Hkv !== 0)
    throw new ShapeError(`${ID}: H must be a multiple of Hkv, got H = ${H} and Hkv = ${Hkv}`);
  if (K === 0 || V === 0)
    throw new ShapeError(`${ID}: K and V must be at least 1, got K = ${K} and V = ${V}`);
  if (keys > Tk) throw new ArgumentError(`${ID}: keys must lie in [0, ${Tk}], got ${keys}`);
  for (const name of ['windowLeft', 'windowRight'])
    if ((call.params[name] as number) < -1)
      throw new ArgumentError(
        `${ID}: ${name} must be >= 0, or -1 for no bound, got ${show(call.params[name])}`,
      );
  checkPacked(call);
  checkRows(call);
  checkBlocks(call);
}

function checkPacked(call: Call): void {
  const { B, Tq, Tk } = call.dims;
  const { cuSeqlensQ, cuSeqlensK } = call.in;
  if (!cuSeqlensQ !== !cuSeqlensK)
    throw new ArgumentError(
      `${ID}: cuSeqlensQ and cuSeqlensK must be given together, got only ${cuSeqlensQ ? 'cuSeqlensQ' : 'cuSeqlensK'}`,
    );
  if (!cuSeqlensQ || !cuSeqlensK) return;
  if (B !== 1) throw new ShapeError(`${ID}: q must have B = 1 with cuSeqlens, got B = ${B}`);
  if (call.params.keys !== undefined)
    throw new ArgumentError(
      `${ID}: keys must be a tensor [S] of packed sequences, got ${show(call.params.keys)}`,
    );
  checkStarts('cuSeqlensQ', cuSeqlensQ, Tq, 'Tq');
  checkStarts('cuSeqlensK', cuSeqlensK, Tk, 'Tk');
}

function checkStarts(name: string, starts: Tensor, T: number, axis: string): void {
  if (starts.size < 2)
    throw new ShapeError(
      `${ID}: ${name} must hold the start and the end of a sequence, got ${starts.size} values`,
    );
  if (starts.device === 'gpu') return;
  const c = starts.dataSync();
  if (c[0] !== 0 || c[c.length - 1] !== T || !c.every((v, i) => i === 0 || v >= c[i - 1]))
    throw new ArgumentError(
      `${ID}: ${name} must start at 0, never fall and end at ${axis} = ${T}, got ${show(Array.from(c))}`,
    );
}

/** One value a sequence; values are read on the host only, kernels clamp them. */
function checkRows(call: Call): void {
  const { cuSeqlensQ, keyCounts, prefix } = call.in;
  const rows = cuSeqlensQ ? cuSeqlensQ.size - 1 : call.dims.B;
  for (const [name, t] of Object.entries({ keyCounts, prefix }))
    if (t && t.size !== rows)
      throw new ShapeError(`${ID}: ${name} must have one value a sequence (${rows}), got ${t.size}`);
  if (keyCounts && call.params.keys !== undefined)
    throw new ArgumentError(`${ID}: keys must be a number or a tensor, got both`);
  for (const [name, t] of Object.entries({ keyCounts, prefix }))
    if (t && t.device !== 'gpu' && t.dataSync().some((v) => v < 0 || v > call.dims.Tk))
      throw new ArgumentError(
        `${ID}: ${name} must lie in [0, ${call.dims.Tk}], got ${show(Array.from(t.dataSync()))}`,
      );
}

function checkBlocks(call: Call): void {
  const mask = call.in.blockMask;
  const size = call.params.blockSize as number | undefined;
  if (!mask) return;
  if (size === undefined)
    throw new ArgumentError(`${ID}: blockSize must be given with blockMask, got undefined`);
  const { B, Tq, Tk, H } = call.dims;
  const [batch, heads, rows, columns] = [1, 1, ...mask.shape].slice(-4);
  const wanted = [Math.ceil(Tq / size), Math.ceil(Tk / size)];
  const fits = mask.rank >= 2 && mask.rank <= 4 && rows === wanted[0] && columns === wanted[1];
  if (!fits || (batch !== 1 && batch !== B) || (heads !== 1 && heads !== H))
    throw new ShapeError(
      `${ID}: blockMask must have shape [${wanted.join()}], with leading axes [H], or [B,H], or 1, got ${show([...mask.shape])}`,
    );
}

/** Score pairs that count: what causality, the window and one number of keys leave. */
export function pairs(d: Dims, params: Params): number {
  const sequence = { tq: d.Tq, tk: (params.keys as number | undefined) ?? d.Tk, prefix: 0 };
  const reach = reachOf({ causal: true, ...params });
  let sum = 0;
  for (let i = 0; i < d.Tq; i++) {
    const [low, high] = rangeOf(reach, sequence, i);
    sum += high - low;
  }
  return d.B * d.H * sum;
}

/** Packed starts of cases by their last value: one token, no token, no key; several tiles. */
const STARTS: Record<number, number[]> = {
  31: [0, 1, 1, 8, 31],
  40: [0, 2, 9, 9, 40],
  193: [0, 1, 65, 193],
  300: [0, 130, 231, 300],
};

export function sampleAttention(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  const draw = (f: () => number) => Float64Array.from({ length: sizeOf(shape) }, f);
  if (input === 'cuSeqlensQ') return STARTS[dims.Tq];
  if (input === 'cuSeqlensK') return STARTS[dims.Tk];
  if (input === 'keyCounts') return draw(() => 1 + Math.floor(uniform() * dims.Tk));
  if (input === 'prefix') return draw(() => Math.floor((uniform() * dims.Tk) / 2));
  if (input === 'blockMask') return draw(() => Number(uniform() < 0.6));
  if (input === 'alibiSlopes') return draw(() => 0.02 + 0.3 * uniform());
  return undefined;
}
