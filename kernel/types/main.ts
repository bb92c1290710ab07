/** The types worker: the only thread that loads the compiler. */
import { workerData } from 'node:worker_threads';
import { answer } from '../threads/ask.js';
import type { TypesThreadData } from '../threads/messages.js';
import type { TypesRequest } from '../threads/types-messages.js';
import { Heap, limitOptimiser } from './heap.js';
import { TypesThread } from './types-thread.js';

limitOptimiser();
const data = workerData as TypesThreadData;
const heap = new Heap();
const thread = new TypesThread(data);
for (const port of [data.user, data.server, data.loader])
  answer(port, (question: TypesRequest) => {
    try {
      return thread.handle(question);
    } finally {
      heap.answered();
    }
  });

thread.warm().catch((error: unknown) => {
  // Every question that needs the program tries again and answers with this error itself.
  process.stderr.write(`types: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
});
