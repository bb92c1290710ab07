/** Errors nobody handles: shown in the cell whose code caused them, and no end of the kernel. */
import { errorLine } from '../display/safe.js';
import type { CellSources } from './cell-map.js';
import { brokenContent, errorContent } from './errors.js';
import { CellInterrupted, currentExecution, type Execution } from './executions.js';
import { nodeTimers } from './node-timers.js';
import type { Outputs } from './output.js';

type Listener = (error: unknown) => void;

interface Parts {
  readonly outputs: Outputs;
  readonly cells: CellSources;
}

/** Late errors of one execution that are shown in full; a thousand rejections must not bury a notebook. */
const SHOWN = 20;
/** Those that come together are counted together. */
const COUNTED_MS = 200;

interface Count {
  all: number;
  untold: number;
  /** Message of one of the untold. */
  such: string;
}
const counts = new WeakMap<Execution, Count>();

/** Shows an error that ended nothing; a cell that still runs will reply with it. */
export function lateError(parts: Parts, error: unknown, execution: Execution | undefined): void {
  if (!execution) return;
  execution.failure ??= { error };
  const count = counts.get(execution) ?? { all: 0, untold: 0, such: '' };
  counts.set(execution, count);
  if (++count.all <= SHOWN) return parts.outputs.error(errorContent(error, parts.cells), execution);
  count.such = errorLine(error);
  if (count.untold++ === 0) nodeTimers.setTimeout(() => tellLateErrors(parts.outputs, execution), COUNTED_MS);
}

/** Says how many late errors were not shown since it last said so. */
export function tellLateErrors(outputs: Outputs, execution: Execution): void {
  const count = counts.get(execution);
  if (!count || count.untold === 0) return;
  outputs.print('stderr', `… ${count.untold} more errors nobody handled, such as ${count.such}\n`, execution);
  count.untold = 0;
}

/** Catches rejections without handler, and errors thrown by timers and events. */
export function catchLateErrors(parts: Parts): void {
  const caught = (error: unknown): void => {
    // Node runs both events in the asynchronous context of what failed.
    if (currentExecution()?.interrupted || error instanceof CellInterrupted) return;
    try {
      lateError(parts, error, parts.outputs.owner());
    } catch (failure) {
      // Thrown here it would end the process.
      parts.outputs.error(brokenContent(failure), parts.outputs.owner());
    }
  };
  keepListener('unhandledRejection', caught);
  keepListener('uncaughtException', caught);
}

/** Listens for good: without a listener Node ends the process, and test tools take all listeners away. */
function keepListener(event: 'unhandledRejection' | 'uncaughtException', listener: Listener): void {
  const host = process as unknown as Record<string, (...parameters: unknown[]) => unknown>;
  const listen = (): void => {
    if (!process.listeners(event as 'uncaughtException').includes(listener))
      process.on(event as 'uncaughtException', listener);
  };
  for (const name of ['removeAllListeners', 'removeListener', 'off']) {
    const original = host[name];
    host[name] = function (...parameters) {
      const result = Reflect.apply(original, this, parameters);
      listen();
      return result;
    };
  }
  listen();
}

/** Makes the ways a program ends itself errors of the cell that uses them. */
export function refuseExit(): void {
  const refuse = (what: string) => (): never => {
    throw new Error(
      `${what}: would end the kernel and lose its variables, so it does nothing in a notebook; ` +
        'return or throw to end the cell, or use Restart Kernel of the front end',
    );
  };
  process.exit = refuse('process.exit');
  process.abort = refuse('process.abort');
}
