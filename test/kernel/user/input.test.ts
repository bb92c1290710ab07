import { afterAll, describe, expect, it } from 'vitest';
import { Worker } from 'node:worker_threads';
import { INPUT_BYTES } from '../../../kernel/threads/interrupt-state.js';
import type { FromUser } from '../../../kernel/threads/messages.js';
import { Execution, interruptExecution, runIn } from '../../../kernel/user/executions.js';
import { Inputs } from '../../../kernel/user/input.js';

const buffer = new SharedArrayBuffer(INPUT_BYTES);
/** Answers the questions of a thread that sleeps: "stop" interrupts, all else is echoed. */
const server = new Worker(
  `const { parentPort, workerData } = require('node:worker_threads');
   parentPort.on('message', ({ prompt }) => {
     const cells = new Int32Array(workerData), text = Buffer.from('<' + prompt + '>');
     new Uint8Array(workerData, 8).set(text);
     Atomics.store(cells, 1, text.length);
     Atomics.store(cells, 0, prompt === 'stop' ? 2 : 1);
     Atomics.notify(cells, 0);
   });`,
  { eval: true, workerData: buffer },
);
afterAll(() => server.terminate());

const asking = () => new Execution('e', 1, 'cell', 'e', true);

describe('input asleep', () => {
  const inputs = new Inputs((message) => server.postMessage(message), buffer);

  it('gets the text, whatever its characters', () => {
    expect(runIn(asking(), () => inputs.askSync('é→😀'))).toBe('<é→😀>');
    expect(runIn(asking(), () => inputs.askSync('again'))).toBe('<again>');
  });

  it('is woken by an interrupt', () => {
    expect(() => runIn(asking(), () => inputs.askSync('stop'))).toThrow('interrupted');
  });
});

describe('input awaited', () => {
  it('gets the answer to its own question', async () => {
    const sent: FromUser[] = [];
    const inputs = new Inputs((message) => void sent.push(message), buffer);
    const [a, b] = runIn(asking(), () => [inputs.ask('a'), inputs.ask('b', true)]);
    expect(sent).toMatchObject([
      { type: 'input', id: 'e', prompt: 'a', password: false, sync: false },
      { type: 'input', id: 'e', prompt: 'b', password: true, sync: false },
    ]);
    const asks = sent.map((message) => (message.type === 'input' ? message.ask : 0));
    inputs.answered(asks[1], 'second');
    inputs.answered(asks[0], 'first');
    expect(await Promise.all([a, b])).toEqual(['first', 'second']);
  });

  it('ends with the cell’s interrupt', async () => {
    const inputs = new Inputs(() => undefined, buffer);
    const execution = asking();
    const asked = runIn(execution, () => inputs.ask('a'));
    interruptExecution(execution);
    await expect(asked).rejects.toThrow('interrupted');
  });

  it('is refused outside of a cell and where the front end takes no input', async () => {
    const inputs = new Inputs(() => undefined, buffer);
    await expect(inputs.ask('a')).rejects.toThrow('needs a running cell');
    await expect(runIn(new Execution('e', 1), () => inputs.ask('a'))).rejects.toThrow('takes no input');
  });
});
