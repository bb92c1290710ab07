/** Looking at values that do not want to be looked at: getters and proxies that throw. */
import { types } from 'node:util';

/** A property, or undefined where reading it throws. */
export function peek(value: unknown, key: PropertyKey): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as Record<PropertyKey, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Own value of a plain data property; getters are not run. */
export function ownData(value: object, key: PropertyKey): unknown {
  try {
    return Object.getOwnPropertyDescriptor(value, key)?.value;
  } catch {
    return undefined;
  }
}

/** Name of the class a value was made by, without running its code; empty where there is none. */
export function className(value: unknown): string {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null || types.isProxy(value))
    return '';
  try {
    for (let at: unknown = Object.getPrototypeOf(value); at; at = Object.getPrototypeOf(at)) {
      const made = Object.getOwnPropertyDescriptor(at, 'constructor')?.value as unknown;
      if (typeof made === 'function' && typeof made.name === 'string' && made.name !== '') return made.name;
    }
  } catch {
    return '';
  }
  return '';
}

/** String(value) that never throws. */
export function text(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** True for errors of this and of other realms. */
export function isError(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false;
  return types.isNativeError(value) || value instanceof Error;
}

/** "1 row", "2 rows". */
export function count(n: number, noun: string): string {
  return `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;
}

/** "TypeError: no" of anything that was thrown, on one line. */
export function errorLine(failure: unknown): string {
  if (!isError(failure)) return text(failure).slice(0, 500);
  const [first] = text(peek(failure, 'message') ?? '').split('\n');
  return `${text(peek(failure, 'name') ?? 'Error')}: ${first.slice(0, 500)}`;
}

/** Does every element of a short array pass? Holes are elements too; long arrays are not searched. */
export function allOf<T>(value: unknown, test: (one: unknown) => one is T): value is T[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > 1000) return false;
  return Array.from(value as unknown[]).every(test);
}
