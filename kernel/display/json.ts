/** Values as the JSON a message and a notebook can carry. */

/** What JSON has no word for, in the words it has. */
function replace(_: string, held: unknown): unknown {
  if (typeof held === 'bigint') return Number.isSafeInteger(Number(held)) ? Number(held) : String(held);
  if (ArrayBuffer.isView(held) && !(held instanceof DataView))
    return Array.from(held as unknown as ArrayLike<unknown>);
  if (held instanceof Map) return Object.fromEntries(held as Map<string, unknown>);
  if (held instanceof Set) return [...(held as Set<unknown>)];
  return held;
}

/** Plain data of a value: typed arrays as arrays, functions left out. @throws TypeError for cyclic values */
export function jsonable(value: unknown): unknown {
  const written = JSON.stringify(value, replace) as string | undefined;
  return written === undefined ? undefined : JSON.parse(written);
}
