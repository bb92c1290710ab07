/**
 * The kernel's process: `node kernel/user/main.js CONNECTION_FILE`. The server thread starts before anything else is
 * loaded, because a front end waits for its first answer; then the types thread warms its compiler while this thread
 * gets ready for cells.
 */
import { fileURLToPath } from 'node:url';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { INPUT_BYTES, InterruptState } from '../threads/interrupt-state.js';
import type { ServerThreadData, TypesThreadData } from '../threads/messages.js';

/** Cells see a process.exit that refuses. */
const exit = process.exit.bind(process);
/** Folder of the project: the compiled kernel is in dist/kernel/user. */
const root = fileURLToPath(new URL('../../../', import.meta.url)).replace(/[\\/]$/, '');
/** Names of Node's own globals, which cells shadow. */
const globals = Object.getOwnPropertyNames(globalThis);

function fatal(what: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${what}: ${text}\n`);
  exit(1);
}

/** What the kernel's own threads write (warnings of Node) is for the terminal, not for the cell that runs. */
const terminal: (bytes: Uint8Array) => boolean = process.stderr.write.bind(process.stderr);

/** Room for young objects: more is only kept, not needed. */
const YOUNG = { maxYoungGenerationSizeMb: 16 };

/** A thread started from a compiled file, with the ports it takes along. */
function start(file: string, data: ServerThreadData | TypesThreadData, ports: MessagePort[]): Worker {
  const options = {
    workerData: data,
    transferList: ports,
    stdout: true,
    stderr: true,
    resourceLimits: YOUNG,
  };
  const worker = new Worker(new URL(file, import.meta.url), options);
  worker.stdout.on('data', terminal);
  worker.stderr.on('data', terminal);
  return worker;
}

function channels() {
  return { server: new MessageChannel(), types: new MessageChannel(), editor: new MessageChannel() };
}

async function main(connectionFile: string): Promise<void> {
  const folder = process.cwd();
  const state = new InterruptState();
  const input = new SharedArrayBuffer(INPUT_BYTES);
  const { server, types, editor } = channels();
  const loader = new MessageChannel();
  const serverThread = start(
    '../server/main.js',
    {
      connectionFile,
      user: server.port2,
      types: editor.port1,
      interrupt: state.buffer,
      input,
      root,
      folder,
    },
    [server.port2, editor.port1],
  );
  serverThread.on('error', (error) => fatal('the kernel’s server thread failed', error));
  // The server ends when a shutdown is answered and every socket is closed; nothing keeps the process after it.
  serverThread.on('exit', (code) => exit(code));
  const typesThread = start(
    '../types/main.js',
    { user: types.port2, server: editor.port2, loader: loader.port2, root, folder, globals },
    [types.port2, editor.port2, loader.port2],
  );
  typesThread.on('error', (error) => fatal('the kernel’s types thread failed', error));
  process.setSourceMapsEnabled(true);
  const { startUserThread } = await import('./user-thread.js');
  startUserThread({
    server: server.port1,
    types: types.port1,
    loader: loader.port1,
    state,
    input,
    root,
    folder,
  });
  server.port1.postMessage({ type: 'ready' });
}

// The server thread hears SIGINT and interrupts the cell; until it listens, the signal must not end the process.
process.on('SIGINT', () => undefined);

const [connectionFile] = process.argv.slice(2);
if (connectionFile === undefined) {
  process.stderr.write('usage: node kernel/user/main.js CONNECTION_FILE\n');
  exit(2);
} else
  // Once the user thread stands, errors are cells' own and end nothing.
  await main(connectionFile).catch((error: unknown) => fatal('the kernel could not start', error));
