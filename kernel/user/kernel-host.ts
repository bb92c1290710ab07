/** The kernel as the modules a notebook imports see it. */
import { errorContent } from './errors.js';
import type { KernelHost } from '../notebook/host.js';
import type { Metadata, MimeBundle } from '../threads/messages.js';
import type { CellSources } from './cell-map.js';
import type { Comms } from './comms.js';
import { currentExecution, runWithSink } from './executions.js';
import type { Inputs } from './input.js';
import type { Outputs } from './output.js';
import { cellHandle } from './runtime.js';

export interface HostParts {
  readonly outputs: Outputs;
  readonly comms: Comms;
  readonly inputs: Inputs;
  readonly cells: CellSources;
}

/** The MIME bundle of any value; the formatters are loaded at the first value. */
export async function formatted(value: unknown): Promise<{ data: MimeBundle; metadata: Metadata }> {
  const { formatValue } = await import('../display/index.js');
  return formatValue(value);
}

export function kernelHostOf({ outputs, comms, inputs, cells }: HostParts): KernelHost {
  return {
    cell: () => {
      const execution = currentExecution();
      return execution && cellHandle(execution);
    },
    output: (output) => outputs.output(output),
    withSink: runWithSink,
    openComm: (...parameters) => comms.openComm(...parameters),
    registerTarget: (name, handler) => comms.registerTarget(name, handler),
    input: (prompt, options) => inputs.ask(prompt, options?.password),
    inputSync: (prompt, options) => inputs.askSync(prompt, options?.password),
    format: formatted,
    formatError: (error) => errorContent(error, cells),
    hold: (work) => {
      const execution = currentExecution();
      if (execution?.kind !== 'cell' || execution.replied) return;
      execution.held.push(work);
      // Its error is that of the reply, which comes later: until then it is no unhandled one.
      work.catch(() => undefined);
    },
    headless: process.env.ASSAY_HEADLESS === '1',
  };
}
