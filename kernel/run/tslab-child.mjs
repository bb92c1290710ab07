// Runs the cells of one notebook with stock tslab's converter and executor, without Jupyter and without Python.
// Started by headless.ts with an IPC channel; the working folder is the notebook's.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { inspect } from 'node:util';

const require = createRequire(join(process.argv[2], 'package.json'));
const { createConverter } = require('tslab/dist/converter');
const { createExecutor } = require('tslab/dist/executor');
const jupyter = require('tslab/dist/jupyter');

const send = (message) => process.send?.(message);

for (const name of ['stdout', 'stderr']) {
  process[name].write = (chunk, encoding, callback) => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    send({ type: 'stream', name, text });
    (typeof encoding === 'function' ? encoding : callback)?.();
    return true;
  };
}
jupyter.lastWriteDisplayData = ({ data, metadata, transient }, update) =>
  send({ type: 'display', data, metadata, id: transient?.display_id, update: !!update });

for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (error) => send({ type: 'unhandled', event, text: inspect(error) }));

const node = createConverter({ isJS: false, isBrowser: false });
const converters = { node, browser: node, close: () => node.close() };
const executor = createExecutor(process.cwd(), converters, { log: console.log, error: console.error });

process.on('message', async (message) => {
  if (message.type === 'close') process.exit(0);
  let ok = false;
  try {
    ok = await executor.execute(message.code);
  } catch (error) {
    console.error(error);
  }
  // Promises the cell left behind get a moment to reject while it is still the current cell.
  await new Promise((resolve) => setTimeout(resolve, 20));
  send({ type: 'done', ok });
});
process.on('disconnect', () => process.exit(0));
send({ type: 'ready' });
