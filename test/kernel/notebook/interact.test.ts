/** interact: right types, last value wins, nothing lost, and it ends when told. */
import fc from 'fast-check';
import { beforeEach, describe, expect, expectTypeOf, it } from 'vitest';
import { PLOTLY, WIDGET_VIEW } from '../../../kernel/notebook/bundle.js';
import { interact, progress, selectionSlider, slider, type Widget } from '../../../kernel/notebook/index.js';
import { LastWins } from '../../../kernel/notebook/last-wins.js';
import { withReturns } from '../../../kernel/notebook/output-list.js';
import { FakeClock, FakeHost, settled, withoutHost } from './fake-host.js';

let host: FakeHost;
let clock: FakeClock;
beforeEach(() => {
  host = new FakeHost().install();
  clock = new FakeClock();
});

const page = (): unknown[] =>
  host.page.filter((data) => !(WIDGET_VIEW in data)).map((data) => data['text/plain']);
/** The reader moves the slider. */
const move = (value: number): unknown =>
  host.model('IntSlider').receive({ method: 'update', state: { value } });

describe('LastWins', () => {
  it('runs one at a time, ends with the last value, and answers every offer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 0, max: 400 })), {
          minLength: 1,
          maxLength: 60,
        }),
        async (offers) => {
          const time = new FakeClock();
          const runs: { value: number; at: number }[] = [];
          let running = 0;
          const runner = new LastWins<{ value: number; takes: number }>(
            async ({ value, takes }) => {
              expect(++running).toBe(1);
              runs.push({ value, at: time.now() });
              await new Promise<void>((resolve) => time.after(takes, resolve));
              running--;
            },
            { clock: time },
          );
          const answers: number[] = [];
          for (const [i, [pause, takes]] of offers.entries()) {
            void runner.offer({ value: i, takes }).then(() => answers.push(i));
            await time.pass(pause);
          }
          await time.pass(120_000);
          expect(runs.at(-1)?.value).toBe(offers.length - 1);
          const values = runs.map(({ value }) => value);
          expect(values).toEqual([...values].sort((a, b) => a - b));
          expect(answers.length).toBe(offers.length);
          for (let i = 1; i < runs.length; i++)
            expect(runs[i].at - runs[i - 1].at).toBeGreaterThanOrEqual(100);
        },
      ),
      { numRuns: 25 },
    );
  });

  it.each([
    [2_000, 17],
    [10_000, 30],
  ])('a drag of %d ms costs few runs', async (length, most) => {
    let runs = 0;
    const runner = new LastWins<number>(async () => void runs++, { clock });
    for (let i = 0; i < length; i += 16) {
      void runner.offer(i);
      await clock.pass(16);
    }
    await clock.pass(3000);
    expect(runs).toBeLessThanOrEqual(most);
    expect(runs).toBeGreaterThan(8);
  });

  it('forgets a value whose cell was interrupted, and goes on with the next', async () => {
    const runs: number[] = [];
    const runner = new LastWins<number>(async (value) => void runs.push(value), { clock });
    await runner.offer(1);
    const controller = new AbortController();
    const dropped = runner.offer(2, controller.signal);
    controller.abort();
    await dropped;
    await clock.pass(1000);
    expect(runs).toEqual([1]);
    await runner.offer(3);
    expect(runs).toEqual([1, 3]);
  });
});

describe('interact', () => {
  it('shows controls and the first result before the cell replies', async () => {
    const handle = interact(({ n }) => n * 2, { n: [1, 64] }, { clock });
    await Promise.all(host.held);
    expect(Object.keys(host.displays[0].data)).toContain(WIDGET_VIEW);
    expect(page()).toEqual(['2']);
    expect(handle.values).toEqual({ n: 1 });
  });

  it('calls with the values of all controls and changes the result in its place', async () => {
    interact(
      ({ n, form, on }) => `${n} ${form} ${on}`,
      { n: [1, 64, 1], form: ['chunk', 'scan'], on: true },
      { clock },
    );
    await clock.pass(0);
    const moved = move(9);
    await clock.pass(1000);
    await moved;
    host.model('Dropdown').receive({ method: 'update', state: { index: 1 } });
    host.model('Checkbox').receive({ method: 'update', state: { value: false } });
    await clock.pass(2000);
    expect(page()).toEqual(['9 scan false']);
    expect(host.displays.filter(({ update }) => !update)).toHaveLength(2);
  });

  it('shows the last value of any drag, with at most thirty calls', async () => {
    let calls = 0;
    interact(
      async ({ n }) => {
        calls++;
        await new Promise<void>((resolve) => clock.after(40, resolve));
        return n;
      },
      { n: [1, 200] },
      { clock },
    );
    await clock.pass(100);
    for (let n = 2; n <= 180; n++) {
      void move(n);
      await clock.pass(20);
    }
    await clock.pass(2000);
    expect(page()).toEqual(['180']);
    expect(calls).toBeLessThanOrEqual(30);
    expect(calls).toBeGreaterThan(10);
  });

  it('keeps the message of the page open until its value is shown', async () => {
    interact(({ n }) => n, { n: [1, 9] }, { clock });
    await clock.pass(0);
    let open = true;
    void Promise.resolve(move(5)).then(() => (open = false));
    await clock.pass(50);
    expect(open).toBe(true);
    await clock.pass(100);
    expect(open).toBe(false);
    expect(page()).toEqual(['5']);
  });

  it('shows text and errors of the function with its result, and clears them with the next call', async () => {
    const print = (name: 'stdout' | 'stderr', text: string): void =>
      host.output({ kind: 'stream', name, text });
    interact(
      ({ n }) => {
        print('stdout', `n is ${n}\n`);
        if (n === 2) throw new RangeError('two');
        if (n === 3) print('stderr', 'careful\n');
        return n;
      },
      { n: [1, 9] },
      { clock },
    );
    await clock.pass(0);
    expect(page()).toEqual(['n is 1', '1']);
    void move(2);
    await clock.pass(1000);
    expect(page()).toEqual(['n is 2', 'RangeError: two']);
    void move(3);
    await clock.pass(1000);
    expect(page()).toEqual(['n is 3', 'careful', '3']);
    void move(4);
    await clock.pass(1000);
    expect(page()).toEqual(['n is 4', '4', '']);
    expect(host.outputs.every(({ output }) => output.kind === 'display')).toBe(true);
  });

  it('shows what a long call prints while it runs, also a progress bar', async () => {
    interact(
      async ({ n }) => {
        for (const i of progress(3, { clock, label: `bar ${n}` })) {
          host.output({ kind: 'stream', name: 'stdout', text: `${i}` });
          await new Promise<void>((resolve) => clock.after(150, resolve));
        }
      },
      { n: [1, 9] },
      { clock },
    );
    await clock.pass(400);
    expect(page()).toEqual(['bar 1: 2 of 3 (66%)', '012']);
    await clock.pass(1000);
    expect(page()).toEqual(['bar 1: 3 of 3 (100%), 0:00 in all', '012']);
  });

  it('sends outputs to its own cell, whoever opened the widget', async () => {
    const own = slider({ min: 1, max: 9 });
    host.in('earlier', () => own.bundle());
    host.in('mine', () => {
      interact(
        ({ n }) => {
          if (n > 1) host.output({ kind: 'stream', name: 'stdout', text: 'new place' });
          return n;
        },
        { n: own },
        { clock },
      );
    });
    await clock.pass(0);
    void move(3);
    await clock.pass(1000);
    expect(new Set(host.outputs.map(({ cell }) => cell))).toEqual(new Set(['mine']));
    expect(page()).toEqual(['new place', '3']);
  });

  it('redraws a movable figure static while the control moves and movable at rest', async () => {
    const figure = (n: number) => ({
      [Symbol.for('Jupyter.display')]: () => ({
        [PLOTLY]: { n },
        'image/svg+xml': `<svg>${n}</svg>`,
        'text/plain': `${n}`,
      }),
    });
    interact(({ n }) => figure(n), { n: [1, 99] }, { clock });
    await clock.pass(0);
    for (let n = 2; n < 20; n++) {
      void move(n);
      await clock.pass(100);
    }
    const during = host.displays.slice(2);
    expect(during.length).toBeGreaterThan(5);
    expect(during.every(({ data }) => !(PLOTLY in data))).toBe(true);
    await clock.pass(2000);
    expect(host.page.at(-1)?.[PLOTLY]).toEqual({ n: 19 });
  });

  it('ends with the cell that is interrupted, and says so', async () => {
    const handle = interact(async () => new Promise(() => undefined), { n: [1, 9] }, { clock });
    await clock.pass(0);
    host.controller.abort();
    await clock.pass(0);
    await handle.ready;
    expect(page()).toEqual(['interrupted']);
    expect(host.model('IntSlider').of('update').at(-1)?.state).toEqual({ disabled: true });
  });

  it('goes on after an interrupt of one of its later calls', async () => {
    const signals: AbortSignal[] = [];
    interact(
      async ({ n }, { signal }) => {
        signals.push(signal);
        if (n === 2) await new Promise(() => undefined);
        return n;
      },
      { n: [1, 9] },
      { clock },
    );
    await clock.pass(200);
    // Messages of widgets are executions of their own.
    host.controller = new AbortController();
    void move(2);
    await clock.pass(200);
    host.controller.abort();
    await clock.pass(0);
    expect(page()).toEqual(['interrupted']);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);
    host.controller = new AbortController();
    void move(3);
    await clock.pass(1000);
    expect(page()).toEqual(['3']);
  });

  it('stops when told', async () => {
    let calls = 0;
    const handle = interact(({ n }) => ++calls + n, { n: [1, 9] }, { clock });
    await clock.pass(0);
    handle.stop();
    void move(5);
    await clock.pass(1000);
    expect(calls).toBe(1);
  });

  it('shows its results among the widgets of a page that was opened again', async () => {
    interact(({ n }) => n, { n: [1, 9] }, { clock });
    await clock.pass(0);
    const comm = host.pageOpens('jupyter.widget.control');
    comm.receive({ method: 'request_states' });
    const { states } = comm.sent[0].data as { states: Record<string, { state: Record<string, unknown> }> };
    const area = host.model('Output').commId;
    expect(states[host.model('VBox').commId].state.children).toContain(`IPY_MODEL_${area}`);
    expect(states[area].state.outputs).toMatchObject([{ data: { 'text/plain': '1' } }]);
    void move(4);
    await clock.pass(1000);
    expect(host.model('Output').of('update').at(-1)?.state).toMatchObject({
      outputs: [{ data: { 'text/plain': '4' } }],
    });
  });

  it('shows one static result where nobody can move a control', async () => {
    host.headless = true;
    interact(async ({ n, form }) => `${n} ${form}`, { n: [3, 9], form: ['a', 'b'] });
    await Promise.all(host.held);
    await settled();
    expect(host.comms).toEqual([]);
    expect(page()).toEqual(['n: 3\nform: "a"', '3 a']);
  });

  it('fails the cell of a headless run when the function fails', async () => {
    host.headless = true;
    interact(
      () => {
        throw new Error('no');
      },
      { n: [1, 9] },
    );
    await expect(host.held.at(-1)).rejects.toThrow('no');
  });

  it('calls once in a plain program', async () => {
    const seen: number[] = [];
    await withoutHost(() => interact(({ n }) => void seen.push(n), { n: [2, 9] }).ready);
    expect(seen).toEqual([2]);
  });
});

describe('shorthand for controls', () => {
  it('gives the function values of the right types', () => {
    const own: Widget<'x' | 'y'> = selectionSlider({ options: ['x', 'y'] });
    const handle = interact(
      (values) => {
        expectTypeOf(values).toEqualTypeOf<{
          n: number;
          form: 'chunk' | 'scan';
          on: boolean;
          size: number;
          model: 1 | 2;
          rate: number;
          title: string;
          count: number;
          own: 'x' | 'y';
        }>();
      },
      {
        n: [1, 64, 1],
        form: ['chunk', 'scan'],
        on: true,
        size: [8, 16, 32, 64],
        model: { small: 1, large: 2 },
        rate: { min: 1e-4, max: 1e-1, log: true },
        title: 'words',
        count: 5,
        own,
      },
      { clock },
    );
    expect(handle.values).toEqual({
      n: 1,
      form: 'chunk',
      on: true,
      size: 8,
      model: 1,
      rate: 1e-4,
      title: 'words',
      count: 5,
      own: 'x',
    });
  });

  it('labels widgets that have no label by their name', () => {
    const bare = slider({ min: 0, max: 5 });
    const labelled = slider({ min: 0, max: 5, label: 'mine' });
    interact(() => undefined, { bare, labelled }, { clock });
    expect([bare.label, labelled.label]).toEqual(['bare', 'mine']);
  });

  it('refuses what is no control, with advice', () => {
    expect(() => interact(() => 1, { n: [8, 16, 32] })).toThrow(
      /n must be \[min, max\] or \[min, max, step\], got \[8, 16, 32\]; .*selectionSlider/,
    );
    expect(() => interact(() => 1, { n: [9, 1] })).toThrow(/n must be \[min, max\]/);
    expect(() => interact(() => 1, {})).toThrow(/must name at least one/);
    expect(() => interact(() => 1, { n: null as unknown as number })).toThrow(/n must be a widget.*got null/);
    expect(() => interact(1 as unknown as () => number, { n: 1 })).toThrow(/must be a function, got 1/);
  });
});

describe('printed text', () => {
  it('is what a terminal would show after carriage returns', () => {
    expect(withReturns('10%\r20%\rdone')).toBe('done');
    expect(withReturns('abc\rX\n')).toBe('Xbc\n');
    expect(withReturns('line\r\nnext')).toBe('line\nnext');
    expect(withReturns(`${withReturns('50%\r')}60%`)).toBe('60%');
  });
});
