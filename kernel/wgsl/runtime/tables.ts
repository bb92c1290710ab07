/** What an export knows of itself and its WGSL files; the exporter writes these values, here they are empty. */
import type { BindingInfo, FieldInfo } from '../../../lib/gpu/source.js';

/** A kernel: its bindings and the layout of its uniform `Params`. */
export interface KernelInfo {
  bindings: readonly BindingInfo[];
  fields: FieldInfo[];
  uniformBytes: number;
  /** Element types, one file for each combination, with their defaults. */
  types: Readonly<Record<string, string>>;
  /** Constants that arrays need; they are written into the text. */
  sizes: readonly string[];
}

/** Form of the operator that was exported. */
export const FORM: string = '';

export const KERNELS: Readonly<Record<string, KernelInfo>> = {};

/** Where each file lies, by its name in VARIANTS. */
export const FILES: Readonly<Record<string, URL>> = {};

/** File of each kernel variant, and the features it needs. */
export const VARIANTS: Readonly<Record<string, { file: string; features: readonly string[] }>> = {};
