/** Errors nobody handles: shown in the cell whose code caused them, and no end of the kernel. */
import type { CellSources } from './cell-map.js';
import { errorContent } from './errors.js';
import { CellInterrupted, currentExecution, type Execution } from './executions.js';
import type { Outputs } from './output.js';

interface Parts {
  readonly outputs: Outputs;
  readonly cells: CellSources;
}

/** Shows an error that ended nothing; a cell that still runs will reply with it. */
export function lateError({ outputs, cells }: Parts, error: unknown, execution: Execution | undefined): void {
  if (execution) execution.failure ??= { error };
  outputs.error(errorContent(error, cells), execution);
}

/** Catches rejections without handler, and errors thrown by timers and events. */
export function catchLateErrors(parts: Parts): void {
  const caught = (error: unknown): void => {
    // Node runs both events in the asynchronous context of what failed.
    if (currentExecution()?.interrupted || error instanceof CellInterrupted) return;
    lateError(parts, error, parts.outputs.owner());
  };
  process.on('unhandledRejection', caught);
  process.on('uncaughtException', caught);
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
