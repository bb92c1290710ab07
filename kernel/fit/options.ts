/** Options of `assay fit` that hold lists of NAME=VALUE. */
import { UsageError } from '../cli/verb.js';

/** "a=1,b=2" as pairs; a value may hold no comma. */
export function pairs(option: string, texts: readonly string[] | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  for (const part of (texts ?? []).flatMap((text) => text.split(','))) {
    const at = part.indexOf('=');
    if (at < 1 || at === part.length - 1) throw new UsageError(`${option} must be NAME=VALUE, got "${part}"`);
    out[part.slice(0, at).trim()] = part.slice(at + 1).trim();
  }
  return out;
}

/** Pairs whose values are numbers above zero. */
export function numberPairs(option: string, texts: readonly string[] | undefined): Record<string, number> {
  return Object.fromEntries(
    Object.entries(pairs(option, texts)).map(([name, text]) => {
      const value = Number(text);
      if (!(value > 0 && value < Infinity))
        throw new UsageError(`${option} ${name} must be a number above 0, got "${text}"`);
      return [name, value];
    }),
  );
}

/** A whole number of at least `least`; `otherwise` when it is not given. */
export function whole(option: string, text: string | undefined, least: number, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || text.trim() === '')
    throw new UsageError(`${option} must be a whole number of at least ${least}, got "${text}"`);
  return value;
}

/** A number strictly between 0 and 1. */
export function fraction(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0 && value < 1)) throw new UsageError(`${option} must lie between 0 and 1, got "${text}"`);
  return value;
}
