/** The models of a session, and the comm over which a page that was opened anew gets them back. */
import type { Comm, KernelHost } from '../notebook/host.js';
import { packState, type State } from './state.js';

export const TARGET = 'jupyter.widget';
export const CONTROL_TARGET = 'jupyter.widget.control';
export const PROTOCOL_VERSION = '2.1.0';

/** What the registry needs of a model. */
export interface Registered {
  wire(): State;
}

const sessions = new WeakMap<KernelHost, Map<string, Registered>>();
const returns = new Set<() => void>();

/** Calls `handler` before a page that was opened anew gets the widgets; the result ends that. */
export function onPageReturn(handler: () => void): () => void {
  returns.add(handler);
  return () => void returns.delete(handler);
}

/** Remembers an open model; the result forgets it. */
export function announce(host: KernelHost, model: Registered, id: string): () => void {
  const models = sessions.get(host) ?? new Map<string, Registered>();
  if (!sessions.has(host)) {
    sessions.set(host, models);
    host.registerTarget(CONTROL_TARGET, (comm) => serve(comm, models));
  }
  models.set(id, model);
  return () => void models.delete(id);
}

function serve(comm: Comm, models: ReadonlyMap<string, Registered>): void {
  comm.onMessage((data) => {
    if ((data as { method?: string } | null)?.method !== 'request_states') return;
    for (const handler of [...returns]) handler();
    const states: State = {};
    for (const [id, model] of [...models]) {
      const state = model.wire();
      states[id] = {
        model_name: state._model_name,
        model_module: state._model_module,
        model_module_version: state._model_module_version,
        state,
      };
    }
    const packed = packState(states);
    comm.send(
      { method: 'update_states', states: packed.state, buffer_paths: packed.buffer_paths },
      packed.buffers,
    );
  });
}
