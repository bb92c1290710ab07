/** A small client of a running Jupyter server: starts a session, runs a notebook's cells, returns the outputs. */
import {
  KernelManager,
  ServerConnection,
  SessionManager,
  type KernelMessage,
  type Session,
} from '@jupyterlab/services';
import {
  OutputCollector,
  failureLine,
  mayRaise,
  sourceOf,
  withoutOutputs,
  type Cell,
  type MimeBundle,
  type Notebook,
  type NotebookResult,
} from './notebook.js';

export interface ServerOptions {
  /** Address of the server, such as http://127.0.0.1:8888/ */
  readonly baseUrl: string;
  readonly token: string;
  /** Path of the notebook on the server; the kernel starts in its folder. */
  readonly path: string;
  readonly kernel: string;
  /** Milliseconds a cell may take; the reply and the kernel's idle status must both arrive within it. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Runs the code cells of a notebook in a session on the server, up to the first failure. */
export async function runOnServer(original: Notebook, options: ServerOptions): Promise<NotebookResult> {
  const started = performance.now();
  const serverSettings = ServerConnection.makeSettings({
    baseUrl: options.baseUrl,
    wsUrl: options.baseUrl.replace(/^http/, 'ws'),
    token: options.token,
  });
  const kernelManager = new KernelManager({ serverSettings });
  const sessionManager = new SessionManager({ kernelManager, serverSettings });
  const notebook = withoutOutputs(original);
  const cells = notebook.cells.filter((cell) => cell.cell_type === 'code' && sourceOf(cell).trim() !== '');
  let session: Session.ISessionConnection | undefined;
  let executed = 0;
  let failure: NotebookResult['failure'];
  try {
    await sessionManager.ready;
    const name = options.path.split('/').at(-1) ?? options.path;
    session = await sessionManager.startNew({
      name,
      path: options.path,
      type: 'notebook',
      kernel: { name: options.kernel },
    });
    const outputs = new OutputCollector();
    for (const cell of cells) {
      const reason = await executeCell(session, cell, outputs, options);
      cell.execution_count = ++executed;
      if (reason === undefined || mayRaise(cell)) continue;
      failure = { cell: executed, reason };
      break;
    }
  } finally {
    await session?.shutdown().catch(() => undefined);
    sessionManager.dispose();
    kernelManager.dispose();
  }
  const seconds = (performance.now() - started) / 1000;
  return { notebook, ok: failure === undefined, executed, codeCells: cells.length, seconds, failure };
}

/** Runs one cell; resolves to the reason when it failed or did not end in time. */
async function executeCell(
  session: Session.ISessionConnection,
  cell: Cell,
  outputs: OutputCollector,
  { timeoutMs, signal }: ServerOptions,
): Promise<string | undefined> {
  const kernel = session.kernel;
  if (!kernel) return 'the session has no kernel';
  outputs.startCell(cell);
  const future = kernel.requestExecute({ code: sourceOf(cell), stop_on_error: true });
  let reason: string | undefined;
  future.onIOPub = (message) => {
    const error = collect(message, outputs);
    reason ??= error;
  };
  const reply = await orTimeout(future.done, timeoutMs, signal);
  if (reply === undefined) {
    future.dispose();
    return signal?.aborted ? 'interrupted' : `the cell did not end within ${timeoutMs / 1000} s`;
  }
  if (reply.content.status === 'ok' && reason === undefined) return undefined;
  const text = reason ?? (outputs.standardError().trim() || `the kernel answered ${reply.content.status}`);
  return failureLine(text);
}

/** Puts one message of the kernel into the outputs; returns the text of an error message. */
function collect(message: KernelMessage.IIOPubMessage, outputs: OutputCollector): string | undefined {
  const content = message.content as Record<string, unknown>;
  const data = content['data'] as MimeBundle;
  const metadata = (content['metadata'] ?? {}) as Record<string, unknown>;
  const id = (content['transient'] as { display_id?: string } | undefined)?.display_id;
  switch (message.header.msg_type) {
    case 'stream':
      outputs.stream(content['name'] as 'stdout' | 'stderr', content['text'] as string);
      break;
    case 'display_data':
    case 'execute_result':
      outputs.display({ output_type: message.header.msg_type, data, metadata }, id);
      break;
    case 'update_display_data':
      if (id !== undefined) outputs.update(id, data, metadata);
      break;
    case 'clear_output':
      outputs.clear();
      break;
    case 'error': {
      const { ename, evalue, traceback } = content as { ename: string; evalue: string; traceback: string[] };
      outputs.error(ename, evalue, traceback);
      return `${ename}: ${evalue}`;
    }
  }
  return undefined;
}

/** The promise's value, or undefined when time is up or the signal is aborted first. */
function orTimeout<T>(promise: Promise<T>, ms: number, signal?: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(undefined), ms);
    signal?.addEventListener('abort', () => resolve(undefined), { once: true });
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
