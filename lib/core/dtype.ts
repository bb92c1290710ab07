/** Element types. f64 exists for references and statistics on the host; f16 is storage only (states and sums are f32). */
export type Dtype = 'f32' | 'f64' | 'f16' | 'i32' | 'u32';

/** Typed arrays that hold elements on the host; f16 travels as its 16-bit pattern. */
export type HostArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint16Array;

/** Arrays that hold floating point numbers a kernel can compute on. */
export type FloatArray = Float32Array | Float64Array;

const BYTES: Record<Dtype, number> = { f32: 4, f64: 8, f16: 2, i32: 4, u32: 4 };

/** Bytes of one element. */
export function dtypeBytes(dtype: Dtype): number {
  return BYTES[dtype];
}

/** True for f16, f32 and f64. */
export function isFloat(dtype: Dtype): boolean {
  return dtype === 'f32' || dtype === 'f64' || dtype === 'f16';
}

/** All dtypes, for validation. */
export const DTYPES: readonly Dtype[] = ['f32', 'f64', 'f16', 'i32', 'u32'];
