/** Values a notebook hands to whoever runs it: a table over many runs reads them from the outputs. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import { kernelHost } from './host.js';

/** An output of this kind holds an object: every member is a recorded value by its name. */
export const RECORD = 'application/x-assay.result+json';

/** JSON has no NaN and no infinities: as words they survive in the notebook. */
function plain(name: string, value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return Array.from(value as unknown as ArrayLike<number>, (held) => plain(name, held));
  if (Array.isArray(value)) return value.map((held) => plain(name, held));
  const prototype: unknown = typeof value === 'object' ? Object.getPrototypeOf(value) : undefined;
  if (prototype === Object.prototype || (prototype === null && value))
    return Object.fromEntries(Object.entries(value as object).map(([key, held]) => [key, plain(name, held)]));
  throw new ArgumentError(
    `record: ${name} must be plain data (numbers, text, lists, objects), got ${show(value)}`,
  );
}

/**
 * Records a value by its name, or several: `record('loss', loss)`, `record({ steps, seconds })`. The executed
 * notebook keeps them, and `assay run` puts them into its table. A later value of the same name wins.
 */
export function record(name: string, value: unknown): void;
export function record(values: Readonly<Record<string, unknown>>): void;
export function record(what: string | Readonly<Record<string, unknown>>, value?: unknown): void {
  const given = typeof what === 'string' ? { [what]: value } : what;
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new ArgumentError(
      `record: its argument must be a name and a value or an object, got ${show(what)}`,
    );
  const values = Object.fromEntries(Object.entries(given).map(([name, held]) => [name, plain(name, held)]));
  const lines = Object.entries(values).map(([name, held]) => `${name}: ${JSON.stringify(held)}`);
  const host = kernelHost();
  if (host)
    host.output({
      kind: 'display',
      data: { [RECORD]: values, 'text/plain': lines.join('\n') },
      metadata: {},
    });
  else process.stdout.write(`${lines.join('\n')}\n`);
}
