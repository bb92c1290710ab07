/** The user thread put together: everything a cell meets, and the messages of the server. */
import type { MessagePort } from 'node:worker_threads';
import { provideHost } from '../notebook/host.js';
import { Asker } from '../threads/ask.js';
import type { InterruptState } from '../threads/interrupt-state.js';
import type { FromUser, ToUser } from '../threads/messages.js';
import type { TypesAnswers, TypesRequest } from '../threads/types-messages.js';
import { CellSources } from './cell-map.js';
import { watchChildren } from './children.js';
import { closeAll, onClose } from './closing.js';
import { Comms } from './comms.js';
import { errorContent } from './errors.js';
import { captureDescriptors } from './descriptors.js';
import { Evaluator } from './evaluate.js';
import type { Execution } from './executions.js';
import { installGpuGuard } from './gpu-guard.js';
import { GpuWatch, type GpuReports } from './gpu-watch.js';
import { Importer } from './imports.js';
import { Inputs } from './input.js';
import { InterruptGuard } from './interrupt-guard.js';
import { kernelHostOf } from './kernel-host.js';
import { catchLateErrors, lateError, refuseExit } from './late-errors.js';
import { Outputs } from './output.js';
import { defineRuntime } from './runtime.js';
import { Session } from './session.js';
import { ownModules } from './specifiers.js';
import { mapStacks } from './stack.js';
import { captureConsole, captureStreams, hideContexts } from './streams.js';
import { installTimers } from './timers.js';

export interface UserThreadOptions {
  readonly server: MessagePort;
  readonly types: MessagePort;
  /** The loader thread's way to the types thread. */
  readonly loader: MessagePort;
  readonly state: InterruptState;
  readonly input: SharedArrayBuffer;
  /** Folder of the project. */
  readonly root: string;
  /** Folder the cells run in. */
  readonly folder: string;
}

/** How long devices and connections may take to be put away at shutdown. */
const CLOSING_MS = 500;

/** What messages of the server reach. */
interface Parts {
  readonly send: (message: FromUser) => void;
  readonly session: Session;
  readonly guard: InterruptGuard;
  readonly comms: Comms;
  readonly inputs: Inputs;
  readonly evaluator: Evaluator;
}

/** Outputs, errors and child processes of whatever runs on this thread are attributed from here on. */
function watchProcess(send: Parts['send'], folder: string) {
  const cells = new CellSources();
  const outputs = new Outputs(send);
  captureStreams(outputs);
  captureDescriptors(outputs);
  const closeGroups = captureConsole(outputs);
  hideContexts();
  mapStacks({ cells, folder, own: new URL('./', import.meta.url).href });
  catchLateErrors({ outputs, cells });
  refuseExit();
  watchChildren(send);
  return { cells, outputs, closeGroups };
}

/** Timers and GPU calls that know their execution. */
function watchWork(state: InterruptState, reports: GpuReports) {
  const guard = new InterruptGuard(state);
  installTimers(guard);
  const gpu = new GpuWatch(reports);
  installGpuGuard(guard, gpu);
  onClose(() => gpu.destroyDevices());
  return { guard, gpu };
}

/** Makes this thread the user thread. After it, globalThis has all names that cells find before the first one. */
export function startUserThread(options: UserThreadOptions): void {
  const { server, state, folder, root } = options;
  const send = (message: FromUser): void => server.postMessage(message);
  const { cells, outputs, closeGroups } = watchProcess(send, folder);
  const { guard, gpu } = watchWork(state, {
    late: (execution, error) => lateError({ outputs, cells }, error, execution),
    adapter: (text) => send({ type: 'adapter', text }),
  });
  const evaluator = new Evaluator();
  const types = new Asker<TypesRequest, TypesAnswers>(options.types);
  const own = ownModules(root, new URL('../../', import.meta.url).href);
  const importer = new Importer({ folder, own, types, loader: options.loader });
  const inputs = new Inputs(send, options.input);
  const fail = (error: unknown, execution: Execution): void =>
    outputs.error(errorContent(error, cells), execution);
  const comms = new Comms({ send, fail });
  const runtime = defineRuntime({
    folder,
    state,
    own,
    stop: guard.stop,
    import: (specifier, attributes, names) => importer.import(specifier, attributes, names),
    keep: evaluator.keep,
    prompt: (message) => inputs.askSync(message),
  });
  provideHost(kernelHostOf({ outputs, comms, inputs, cells }));
  const parts = { send, types, evaluator, importer, runtime, outputs, cells, gpu, folder, closeGroups };
  const session = new Session(parts);
  server.on('message', receiver({ send, session, guard, comms, inputs, evaluator }));
}

function receiver({ send, session, guard, comms, inputs, evaluator }: Parts): (message: ToUser) => void {
  return (message) => {
    switch (message.type) {
      case 'execute':
        return void session.execute(message.cell);
      case 'interrupt':
        return guard.interrupt(message.epoch, message.id);
      case 'comm':
        return void comms.receive(message);
      case 'input':
        return inputs.answered(message.ask, message.value, message.error);
      case 'members':
        return send({ type: 'members', ask: message.ask, names: evaluator.members(message.expression) });
      case 'shutdown':
        return void closeAll(CLOSING_MS).then(() => {
          evaluator.close();
          send({ type: 'closed' });
        });
    }
  };
}
