/** Any value as text, bounded in size whatever it holds. */
import { inspect, types } from 'node:util';
import type { DisplayLimits } from './limits.js';
import { className, count, errorLine } from './safe.js';

/** Values inspected in one text; a level that would take more is folded to `[Object]`. */
const NODES = 4000;
const KEYS = 300;

/** What an object holds one level down, getters not run; at most `limit` of it, -1 where it is not looked into. */
function children(value: object, limit: number): unknown[] {
  if (types.isProxy(value)) return [];
  if (Array.isArray(value)) return Array.prototype.slice.call(value, 0, limit);
  if (ArrayBuffer.isView(value)) return new Array<unknown>(Math.min(limit, value.byteLength)).fill(0);
  const inner: unknown[] = [];
  if (types.isMap(value))
    for (const [key, held] of Map.prototype.entries.call(value)) {
      if (inner.length >= 2 * limit) break;
      inner.push(key, held);
    }
  else if (types.isSet(value))
    for (const held of Set.prototype.values.call(value)) {
      if (inner.length >= limit) break;
      inner.push(held);
    }
  for (const key of Object.keys(value)) inner.push(Object.getOwnPropertyDescriptor(value, key)?.value);
  return inner;
}

/** The deepest level, up to the limit, at which the text stays of a readable size. */
export function fittingDepth(value: unknown, limits: DisplayLimits): number {
  let level: unknown[] = [value];
  let nodes = 0;
  for (let depth = 0; depth <= limits.depth; depth++) {
    const next: unknown[] = [];
    for (const held of level) {
      if (typeof held !== 'object' || held === null) continue;
      next.push(...children(held, limits.elements));
      if (nodes + next.length > NODES) return Math.max(0, depth - 1);
    }
    nodes += next.length;
    level = next;
    if (next.length === 0) break;
  }
  return limits.depth;
}

/** An object of very many keys with the first of them, and how many were left out. */
function fewerKeys(value: unknown): { value: unknown; left: number } {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return { value, left: 0 };
  const prototype = Object.getPrototypeOf(value) as unknown;
  if (prototype !== Object.prototype && prototype !== null) return { value, left: 0 };
  const keys = Object.keys(value);
  if (keys.length <= KEYS) return { value, left: 0 };
  const kept = Object.create(prototype) as object;
  for (const key of keys.slice(0, KEYS))
    Object.defineProperty(kept, key, Object.getOwnPropertyDescriptor(value, key)!);
  return { value: kept, left: keys.length - KEYS };
}

function cut(whole: string, limit: number, colour: boolean): string {
  if (whole.length <= limit) return whole;
  // Cut at a line's end, where colours are closed.
  const end = whole.lastIndexOf('\n', limit);
  const kept = end > limit / 2 ? end : limit;
  return `${whole.slice(0, kept)}${colour ? '\u001b[0m' : ''}\n… ${count(whole.length - kept, 'more character')}`;
}

function show(value: unknown, limits: DisplayLimits, customInspect: boolean): string {
  const { value: shown, left } = fewerKeys(value);
  const options = {
    depth: fittingDepth(shown, limits),
    colors: limits.colour,
    maxArrayLength: limits.elements,
    maxStringLength: limits.string,
    breakLength: 100,
    compact: 3,
    customInspect,
  };
  const whole = inspect(shown, options);
  return cut(left > 0 ? `${whole}\n… ${count(left, 'more key')}` : whole, limits.text, limits.colour);
}

/** Text of a primitive: whole, without colours. Numbers and strings as one would write them. */
export function primitiveText(value: unknown): string {
  return inspect(value, { maxStringLength: Infinity, breakLength: 100 });
}

export function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function');
}

/** Text of any value; never throws. A custom inspection that fails is named below the plain text. */
export function plainText(value: unknown, limits: DisplayLimits): string {
  if (isPrimitive(value)) return primitiveText(value);
  try {
    return show(value, limits, true);
  } catch (failure) {
    const note = `(its own inspection failed: ${errorLine(failure)})`;
    try {
      return `${show(value, limits, false)}\n${note}`;
    } catch {
      return `[${className(value) || typeof value}] ${note}`;
    }
  }
}
