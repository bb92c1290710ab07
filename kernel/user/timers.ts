/**
 * Timers that belong to the cell that set them: an interrupted cell's pending timers never fire and new ones are
 * refused. Everything else (objects, arguments, promisify, unref) is Node's own, because Node's functions do the work.
 */
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import timersPromises from 'node:timers/promises';
import { CellInterrupted, currentExecution, runIn, type Execution } from './executions.js';
import { capture, filesOf, ownerOf, type Capture } from './interrupt-frames.js';
import type { InterruptGuard } from './interrupt-guard.js';

type AnyFunction = (...args: unknown[]) => unknown;
type Holder = Record<string, unknown>;
type Clear = (timer: unknown) => void;

/**
 * Timers that the kernel or Node itself set while a cell ran (flushing output, the clock of fetch) serve others too
 * and stay; so do the pauses of the library's loops, which end by their signal. The file is worked out only when it matters, after an interrupt.
 */
function servesOthers(setBy: Capture): boolean {
  const owner = ownerOf(filesOf(setBy)[0] ?? '');
  return owner === 'node' || owner === 'kernel' || owner === 'library-pause';
}

class CellTimers {
  constructor(private readonly guard: InterruptGuard) {}

  /** A callback that does nothing once its execution is interrupted. */
  private bind(callback: AnyFunction, execution: Execution, setBy: Capture, clear: Clear): AnyFunction {
    const { guard } = this;
    return function (this: unknown, ...args: unknown[]) {
      if (guard.isInterrupted(execution) && !servesOthers(setBy)) return clear(this);
      return Reflect.apply(callback, this, args);
    };
  }

  /** Wraps a function that takes a callback first; `clear` ends a repetition. */
  wrap(original: AnyFunction, clear: Clear): AnyFunction {
    const begin = (callback: unknown, rest: unknown[], self: unknown, wrapped: AnyFunction): unknown => {
      if (this.guard.state.cells[1] > 0 && isNative(callback))
        return runIn(undefined, () => Reflect.apply(original, self, [this.turn(callback), ...rest]));
      const execution = currentExecution();
      if (!execution || typeof callback !== 'function')
        return Reflect.apply(original, self, [callback, ...rest]);
      const setBy = capture(wrapped, 1);
      if (this.guard.refused() && !servesOthers(setBy)) throw new CellInterrupted();
      const bound = this.bind(callback as AnyFunction, execution, setBy, clear);
      return Reflect.apply(original, self, [bound, ...rest]);
    };
    const wrapped = function (this: unknown, callback: unknown, ...rest: unknown[]): unknown {
      return begin(callback, rest, this, wrapped);
    };
    return disguise(wrapped, original);
  }

  /**
   * The GPU addon asks for its turns by the global setImmediate, from inside its calls. Those turns serve every cell,
   * so they belong to none, are never refused, and count as native code.
   */
  private turn(callback: AnyFunction): () => void {
    const { cells } = this.guard.state;
    return () => {
      cells[1]++;
      try {
        callback();
      } finally {
        cells[1]--;
      }
    };
  }

  /** Wraps a function that gives a promise: refused by a rejection, and never settled after an interrupt. */
  wrapPromise(original: AnyFunction): AnyFunction {
    const begin = (self: unknown, args: unknown[]): unknown => {
      const execution = currentExecution();
      if (!execution) return Reflect.apply(original, self, args);
      if (this.guard.refused()) return Promise.reject(new CellInterrupted());
      const settled = Reflect.apply(original, self, args) as Promise<unknown>;
      return settled.then((value) => {
        if (this.guard.isInterrupted(execution)) throw new CellInterrupted();
        return value;
      });
    };
    return disguise(function (this: unknown, ...args: unknown[]): unknown {
      return begin(this, args);
    }, original);
  }

  /** timers/promises.setInterval: an asynchronous iterator. */
  wrapIterator(original: AnyFunction): AnyFunction {
    const { guard } = this;
    const wrapped = async function* (...args: unknown[]) {
      guard.stop();
      for await (const value of original(...args) as AsyncIterable<unknown>) {
        guard.stop();
        yield value;
      }
    };
    return disguise(wrapped, original);
  }
}

function isNative(value: unknown): value is AnyFunction {
  return (
    typeof value === 'function' && /\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(value))
  );
}

/** Gives `wrapped` the name, length and further properties (such as promisify.custom) of what it stands for. */
function disguise(wrapped: AnyFunction, original: AnyFunction): AnyFunction {
  for (const key of Reflect.ownKeys(original)) {
    if (key === 'prototype' || key === 'arguments' || key === 'caller') continue;
    Object.defineProperty(wrapped, key, Object.getOwnPropertyDescriptor(original, key)!);
  }
  return wrapped;
}

function replace(
  holder: object,
  name: string,
  make: (original: AnyFunction) => AnyFunction,
): AnyFunction | undefined {
  const property = Object.getOwnPropertyDescriptor(holder, name);
  const original = (holder as Holder)[name];
  if (!property || typeof original !== 'function') return undefined;
  const value = make(original as AnyFunction);
  Object.defineProperty(holder, name, {
    value,
    writable: true,
    enumerable: property.enumerable ?? true,
    configurable: true,
  });
  return value;
}

/** Puts the wrapped timers into globalThis, node:timers and node:timers/promises. */
export function installTimers(guard: InterruptGuard): void {
  const cell = new CellTimers(guard);
  const none: Clear = () => undefined;
  const clearTimer = globalThis.clearInterval as Clear;
  replace(timersPromises, 'setTimeout', (f) => cell.wrapPromise(f));
  replace(timersPromises, 'setImmediate', (f) => cell.wrapPromise(f));
  replace(timersPromises, 'setInterval', (f) => cell.wrapIterator(f));
  const { scheduler } = timersPromises;
  if (scheduler) {
    const prototype = Object.getPrototypeOf(scheduler) as object;
    for (const name of ['wait', 'yield']) replace(prototype, name, (f) => cell.wrapPromise(f));
  }
  const made: Holder = {
    setTimeout: replace(globalThis, 'setTimeout', (f) => cell.wrap(f, none)),
    setInterval: replace(globalThis, 'setInterval', (f) => cell.wrap(f, clearTimer)),
    setImmediate: replace(globalThis, 'setImmediate', (f) => cell.wrap(f, none)),
  };
  replace(globalThis, 'queueMicrotask', (f) => cell.wrap(f, none));
  for (const name of Object.keys(made)) replace(timers, name, () => made[name] as AnyFunction);
  syncBuiltinESMExports();
}
