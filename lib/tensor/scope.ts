/** Scopes: everything made inside a synchronous function goes back to the pools, except what it returns. */
import { ArgumentError } from '../core/errors.js';
import type { Tensor } from './tensor.js';
import { treeTensors } from './tree.js';

const scopes: Set<Tensor>[] = [];

export function adoptIntoScope(t: Tensor): void {
  scopes[scopes.length - 1]?.add(t);
}

export function leaveScope(t: Tensor): void {
  for (const scope of scopes) scope.delete(t);
}

/** Moves a tensor out of every open scope; its owner disposes it. */
export function keep<T extends Tensor>(t: T): T {
  leaveScope(t);
  return t;
}

/**
 * Runs `fn` and disposes every tensor made inside except those in the returned tree and those given to keep().
 * @throws ArgumentError when `fn` returns a promise: scopes cannot span an await
 */
export function scope<T>(fn: () => T): T {
  const made = new Set<Tensor>();
  scopes.push(made);
  let result: T | undefined;
  let finished = false;
  try {
    result = fn();
    if (typeof (result as { then?: unknown } | undefined)?.then === 'function')
      throw new ArgumentError(
        'scope: fn must be synchronous, got a function returning a promise; read data after the scope',
      );
    finished = true;
    return result;
  } finally {
    scopes.pop();
    const survivors = new Set(finished ? treeTensors(result) : []);
    for (const t of made) {
      if (survivors.has(t)) adoptIntoScope(t);
      else t.dispose();
    }
  }
}

/**
 * Runs `fn` and tells what was made inside beside its result. Open scopes own all of it, as without this function; when
 * `fn` throws, it is disposed.
 */
export function collect<T>(fn: () => T): { result: T; made: Tensor[] } {
  const made = new Set<Tensor>();
  scopes.push(made);
  let finished = false;
  try {
    const result = fn();
    finished = true;
    const results = new Set(treeTensors(result));
    return { result, made: [...made].filter((t) => !results.has(t)) };
  } finally {
    scopes.pop();
    for (const t of made) {
      if (finished) adoptIntoScope(t);
      else t.dispose();
    }
  }
}
