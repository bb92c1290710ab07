import { appendFileSync, writeFileSync } from 'node:fs';
import type { Paper, Part } from '../../../lib/papers/index.js';

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What a task does: answer, crash, fail, or work until it is cancelled. */
const work: Part = {
  name: 'work',
  about: 'tasks for tests',
  isolated: true,
  seconds: () => 1,
  tasks: () => [],
  async run({ id, inputs }, { signal, progress, checkpoint }) {
    if (typeof inputs['log'] === 'string') appendFileSync(inputs['log'], `${id}\n`);
    if (inputs['does'] === 'crash') process.exit(3);
    if (inputs['does'] === 'fail') throw new RangeError(`${id} cannot be done`);
    if (inputs['does'] === 'wait') {
      progress?.({ step: 1, steps: 2 });
      while (!signal?.aborted) await wait(10);
      if (checkpoint) writeFileSync(checkpoint, 'half done');
      throw Object.assign(new Error('cancelled'), { name: 'CancelledError' });
    }
    await wait(Number(inputs['milliseconds'] ?? 0));
    return { id, pid: process.pid };
  },
};

export const paper: Paper = {
  id: 'fixture',
  title: 'Fixture',
  year: 2024,
  arxiv: '2401.00001v1',
  authors: 'Somebody',
  family: 'none',
  claims: [],
  experiments: [
    {
      id: 'working',
      about: 'tasks for tests',
      claims: [],
      parts: () => [work],
      collect: () => ({ config: {}, measurements: {}, curves: [] }),
    },
  ],
};
