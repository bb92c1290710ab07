/**
 * The user thread alone in a process: the test is its server. Types come from the real thread (`real`) or from a fake
 * that runs plain JavaScript as it is (`plain`).
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';

const [dist, root, folder, mode] = process.argv.slice(2);
const exit = process.exit.bind(process);
const from = (file) => pathToFileURL(join(dist, 'kernel', file)).href;
const { InterruptState, INPUT_BYTES } = await import(from('threads/interrupt-state.js'));
const { answer } = await import(from('threads/ask.js'));
const { startUserThread } = await import(from('user/user-thread.js'));

const server = new MessageChannel();
const types = new MessageChannel();
const loader = new MessageChannel();
const editor = new MessageChannel();

/** Plain JavaScript is its own transpiled form; `#refuse`, `#floating` and `#declares` lines steer the fake. */
function prepare({ code, count, check }) {
  const file = `cell-${count}.ts`;
  const at = { file, line: 1, column: 1, length: 3, notes: ['why'] };
  const told = /#(refuse|floating) ?(\w*)/.exec(code);
  if (told?.[1] === 'refuse' && (check || told[2] === 'syntax'))
    return { ok: false, kind: told[2], diagnostics: [{ ...at, code: 2322, message: 'must not' }] };
  const floating = told?.[1] === 'floating' ? [{ ...at, code: 0, message: 'not awaited' }] : [];
  const declares = /#declares (\w+)/.exec(code)?.slice(1) ?? [];
  const js = `${code}\n//# sourceURL=${file}`;
  return { ok: true, js, map: { edits: [] }, localImports: [], declares, floating };
}

if (mode === 'real') {
  const workerData = {
    user: types.port2,
    server: editor.port2,
    loader: loader.port2,
    root,
    folder,
    globals: Object.getOwnPropertyNames(globalThis),
  };
  const transferList = [types.port2, editor.port2, loader.port2];
  new Worker(new URL(from('types/main.js')), { workerData, transferList });
  process.setSourceMapsEnabled(true);
} else answer(types.port2, (question) => (question.type === 'prepare' ? prepare(question) : undefined));

const state = new InterruptState();
process.on('message', (message) => server.port2.postMessage(message));
process.on('disconnect', () => exit(0));
server.port2.on('message', (message) => {
  process.send(message);
  if (message.type === 'closed') setImmediate(() => exit(0));
});
startUserThread({
  server: server.port1,
  types: types.port1,
  loader: loader.port1,
  state,
  input: new SharedArrayBuffer(INPUT_BYTES),
  root,
  folder,
});
process.send({ type: 'ready' });
