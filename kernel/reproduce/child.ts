/** One task in a process of its own: a crash or a lost device takes this task with it and nothing else. */
import { experimentOf, openSetup } from '../../lib/papers/index.js';
import { loadPaper } from './load-paper.js';
import type { CancelMessage, ChildMessage, StartMessage } from './messages.js';

const controller = new AbortController();

function tell(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    if (!process.send || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

async function work(message: StartMessage): Promise<void> {
  const { root, setup: plan, task, checkpoint } = message;
  const paper = await loadPaper(message.paper, root);
  // One thread: the tasks themselves run side by side.
  const experiment = experimentOf(paper, message.experiment);
  const setup = await openSetup({ ...plan, threads: 1, datasets: experiment.datasets ?? [] });
  const part = experiment.parts(setup).find(({ name }) => name === message.part);
  if (!part) throw new Error(`part must be one of ${experiment.id}'s, got ${message.part}`);
  const result = await part.run(task, {
    signal: controller.signal,
    progress: (progress) => void tell({ kind: 'progress', progress }),
    ...(checkpoint ? { checkpoint } : {}),
  });
  await tell({ kind: 'result', result });
}

// Ctrl-C reaches the whole process group; the parent decides, the first signal is enough.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => controller.abort());
// Without a parent the result has nowhere to go: save and end.
process.on('disconnect', () => controller.abort());
process.on('message', (message: StartMessage | CancelMessage) => {
  if (message.kind === 'cancel') {
    controller.abort();
    return;
  }
  work(message)
    .catch((error: unknown) => {
      const { name, message: text } = error instanceof Error ? error : new Error(String(error));
      return tell({ kind: 'error', name, message: text });
    })
    .finally(() => process.exit());
});
