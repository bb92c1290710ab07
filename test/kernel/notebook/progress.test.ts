/** progress: right numbers, few drawings, and a last state that says how it ended. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Paced } from '../../../kernel/notebook/clock.js';
import { progress } from '../../../kernel/notebook/index.js';
import { durationText, progressLine } from '../../../kernel/notebook/progress-text.js';
import { FakeClock, FakeHost, withoutHost } from './fake-host.js';

let host: FakeHost;
let clock: FakeClock;
beforeEach(() => {
  host = new FakeHost().install();
  clock = new FakeClock();
});

const last = (): string => String(host.page.at(-1)?.['text/plain']);

describe('Paced', () => {
  it('draws at most once in its interval and always draws the last state', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 250 }), { maxLength: 60 }), async (pauses) => {
        const time = new FakeClock();
        const drawn: { at: number; state: number }[] = [];
        let state = 0;
        const pace = new Paced(() => drawn.push({ at: time.now(), state }), time, 100);
        for (const pause of pauses) {
          state++;
          pace.request();
          await time.pass(pause);
        }
        await time.pass(100);
        for (let i = 1; i < drawn.length; i++)
          expect(drawn[i].at - drawn[i - 1].at).toBeGreaterThanOrEqual(100);
        if (pauses.length > 0) expect(drawn.at(-1)?.state).toBe(state);
      }),
      { numRuns: 30 },
    );
  });

  it('draws in a loop that never lets a timer fire', () => {
    let drawn = 0;
    const pace = new Paced(() => drawn++, clock, 100);
    for (let i = 0; i < 1000; i++) {
      clock.time += 1;
      pace.request();
    }
    expect(drawn).toBe(10);
  });
});

describe('progress', () => {
  it('moves with a loop and ends full', async () => {
    const seen: number[] = [];
    for (const i of progress([10, 20, 30], { label: 'sum', clock })) {
      seen.push(i);
      await clock.pass(1000);
    }
    expect(seen).toEqual([10, 20, 30]);
    expect(host.displays.map(({ data }) => data['text/plain'])).toEqual([
      'sum: 0 of 3 (0%)',
      'sum: 1 of 3 (33%), 0:01 so far, about 0:02 left, 1.0 a second',
      'sum: 2 of 3 (66%), 0:02 so far, about 0:01 left, 1.0 a second',
      'sum: 3 of 3 (100%), 0:03 so far, 1.0 a second',
      'sum: 3 of 3 (100%), 0:03 in all, 1.0 a second',
    ]);
    expect(host.page).toHaveLength(1);
  });

  it('draws at most ten times a second over a hundred thousand steps', () => {
    for (const _ of progress(100_000, { clock })) clock.time += 0.1;
    expect(host.displays.length).toBeLessThanOrEqual(102);
    expect(last()).toBe('100000 of 100000 (100%), 0:10 in all, 10000 a second');
  });

  it('takes a number, a set, a generator and an async stream', async () => {
    expect([...progress(3, { clock })]).toEqual([0, 1, 2]);
    expect([...progress(new Set(['a']), { clock })]).toEqual(['a']);
    expect(last()).toBe('1 of 1 (100%), 0:00 in all');
    function* some() {
      yield 1;
      yield 2;
    }
    expect([...progress(some(), { clock })]).toEqual([1, 2]);
    expect(last()).toBe('2, 0:00 in all');
    async function* stream() {
      yield 'x';
    }
    const items: string[] = [];
    for await (const item of progress(stream(), { clock, total: 4 })) items.push(item);
    expect(items).toEqual(['x']);
    expect(last()).toBe('stopped at 1 of 4 (25%), 0:00 in all');
  });

  it('says where a loop was left, by break or by an error', () => {
    for (const i of progress(10, { clock })) if (i === 4) break;
    expect(last()).toBe('stopped at 4 of 10 (40%), 0:00 in all');
    expect(() => {
      for (const i of progress(10, { clock })) if (i === 7) throw new Error('no');
    }).toThrow('no');
    expect(last()).toMatch(/^stopped at 7 of 10/);
  });

  it('says that it was interrupted, even when the loop never goes on', () => {
    const bar = progress(10, { label: 'train', clock });
    bar.update(3);
    host.controller.abort();
    expect(last()).toBe('train: interrupted at 3 of 10 (30%), 0:00 in all');
    bar.close();
    expect(last()).toMatch(/interrupted/);
  });

  it('is moved by hand and shows its state although no further step comes', async () => {
    const bar = progress(10, { clock });
    bar.update();
    bar.update(2);
    bar.label = 'now';
    await clock.pass(100);
    expect(last()).toBe('now: 3 of 10 (30%)');
    bar.set(10);
    bar.close();
    expect(last()).toBe('now: 10 of 10 (100%), 0:00 in all');
    bar.update();
    await clock.pass(1000);
    expect(last()).toBe('now: 10 of 10 (100%), 0:00 in all');
  });

  it('has a name and a value for a screen reader, and escapes what it shows', () => {
    progress(4, { label: '<b> & "x"', clock }).update(1);
    const html = String(host.displays[0].data['text/html']);
    expect(html).toContain('<progress value="0" max="4" aria-label="&lt;b&gt; &amp; &quot;x&quot;"');
    expect(html).not.toContain('<b>');
  });

  it('is one line of text in a headless run and one on the console of a program', () => {
    host.headless = true;
    for (const _ of progress(3, { label: 'loop', clock }));
    expect(host.displays.map(({ data }) => data)).toEqual([
      { 'text/plain': 'loop: 3 of 3 (100%), 0:00 in all' },
    ]);
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    withoutHost(() => {
      for (const _ of progress(3, { label: 'loop', clock }));
    });
    expect(write.mock.calls.map(([text]) => text)).toEqual(['loop: 3 of 3 (100%), 0:00 in all\n']);
    write.mockRestore();
  });

  it('refuses what it cannot count', () => {
    expect(() => progress(-1)).toThrow(/total must be a number from 0, got -1/);
    expect(() => progress({} as unknown as number)).toThrow(/number or something to loop over/);
    expect(() => progress(1, { clock }).update(NaN)).toThrow(/got NaN/);
  });
});

describe('the line of a bar', () => {
  it('writes times and rates in few characters', () => {
    expect([0, 7400, 754_000, 3_723_000].map(durationText)).toEqual(['0:00', '0:07', '12:34', '1:02:03']);
    const state = { label: '', total: 10, elapsed: 40_000, end: undefined };
    expect(progressLine({ ...state, done: 4 })).toBe(
      '4 of 10 (40%), 0:40 so far, about 1:00 left, 10 s each',
    );
    expect(progressLine({ ...state, done: 0 })).toBe('0 of 10 (0%), 0:40 so far');
  });

  it('never says 100% before the end', () => {
    expect(progressLine({ label: '', done: 1999, total: 2000, elapsed: 0, end: undefined })).toContain(
      '(99%)',
    );
  });
});
