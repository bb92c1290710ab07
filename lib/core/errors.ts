/** Errors of the library. Messages read `<function>: <argument> must <condition>, got <value>` plus advice. */

/** A shape, rank or length does not fit. */
export class ShapeError extends Error {
  override name = 'ShapeError';
}
/** An element type does not fit. */
export class DtypeError extends Error {
  override name = 'DtypeError';
}
/** An argument other than a tensor's shape or dtype is out of range. */
export class ArgumentError extends Error {
  override name = 'ArgumentError';
}
/** A backend or device is missing, lost or too small. */
export class DeviceError extends Error {
  override name = 'DeviceError';
}
/** Data is missing, corrupt or not what its manifest says. */
export class DataError extends Error {
  override name = 'DataError';
}
/** A fit did not converge or its input cannot be fitted. */
export class FitError extends Error {
  override name = 'FitError';
}
/** Work was cancelled by an AbortSignal; state up to the last checkpoint is kept. */
export class CancelledError extends Error {
  override name = 'CancelledError';
}

/** Short text of any value for an error message. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 60 ? value.slice(0, 57) + '...' : value);
  if (Array.isArray(value))
    return `[${value.slice(0, 8).map(show).join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${(value as Uint8Array).length})`;
  if (typeof value === 'object' && value !== null) return value.constructor?.name ?? 'object';
  return String(value);
}
