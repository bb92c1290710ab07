/** Entry of the server thread. */
import { workerData } from 'node:worker_threads';
import type { ServerThreadData } from '../threads/messages.js';
import { killSelf } from './processes.js';
import { report } from './reports.js';
import { serve } from './server.js';

// An error nobody expected must not take the sockets down: the cell that runs would lose its output.
process.on('uncaughtException', (error) => report(`kernel: ${error.stack ?? error.message}\n`));
process.on('unhandledRejection', (reason) => report(`kernel: ${String(reason)}\n`));

try {
  await serve(workerData as ServerThreadData);
} catch (error) {
  // A kernel nobody can reach would stay for ever.
  report(`kernel: cannot be reached: ${error instanceof Error ? error.message : String(error)}\n`);
  killSelf();
}
