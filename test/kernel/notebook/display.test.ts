/** display, tslab's API and the redrawing of figures. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { PLOTLY, still } from '../../../kernel/notebook/bundle.js';
import { Entry } from '../../../kernel/notebook/display.js';
import {
  cell,
  clearOutput,
  display,
  input,
  newDisplay,
  openComm,
  prompt,
  registerTarget,
} from '../../../kernel/notebook/index.js';
import * as tslab from '../../../kernel/notebook/tslab.js';
import { FakeClock, FakeHost, settled, withoutHost } from './fake-host.js';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost().install();
});

const figure = (name: string) => ({
  data: { [PLOTLY]: { name }, 'image/svg+xml': `<svg>${name}</svg>`, 'text/plain': name },
  metadata: {},
});

describe('display', () => {
  it('shows every form of content under its MIME type', () => {
    display.html('<b>h</b>');
    display.svg('<svg/>');
    display.markdown('*m*');
    display.latex('$x$');
    display.text('t');
    display.javascript('1');
    display.png(new Uint8Array([1, 2, 3]), { width: 10 });
    display.raw('application/x', new Uint8Array([255]));
    display.bundle({ 'text/html': 'a', 'text/plain': 'b' });
    expect(host.displays.map(({ data }) => data)).toEqual([
      { 'text/html': '<b>h</b>' },
      { 'image/svg+xml': '<svg/>' },
      { 'text/markdown': '*m*' },
      { 'text/latex': '$x$' },
      { 'text/plain': 't' },
      { 'text/javascript': '1' },
      { 'image/png': 'AQID' },
      { 'application/x': '/w==' },
      { 'text/html': 'a', 'text/plain': 'b' },
    ]);
    expect(host.displays[6].metadata).toEqual({ 'image/png': { width: 10 } });
    expect(new Set(host.displays.map(({ displayId }) => displayId)).size).toBe(9);
  });

  it('refuses what no message can carry and takes what JSON has no word for', () => {
    display.raw('application/json', { map: new Map([['a', 1n]]), set: new Set([2]) });
    expect(host.displays[0].data['application/json']).toEqual({ map: { a: 1 }, set: [2] });
    const ring: Record<string, unknown> = {};
    ring.ring = ring;
    expect(() => display.raw('application/json', ring)).toThrow(TypeError);
    expect(() => display.bundle({ 'text/plain': () => 1 })).toThrow(/at least one MIME type/);
    expect(() => display.bundle({ html: '<b>' })).toThrow(/keys must be MIME types/);
    expect(host.displays).toHaveLength(1);
  });

  it('sends JSON as it would be saved', () => {
    display.json({ a: [1, undefined], b: undefined });
    expect(host.displays[0].data['application/json']).toEqual({ a: [1, null] });
    expect(() => display.json(() => 1)).toThrow(/must be plain data/);
    const ring: Record<string, unknown> = {};
    ring.ring = ring;
    expect(() => display.json(ring)).toThrow(/must be plain data/);
  });

  it('shows any value in the place of its call, even when formatting takes a while', async () => {
    display(12);
    host.output({ kind: 'stream', name: 'stdout', text: 'after' });
    expect(host.outputs.map(({ output }) => output.kind)).toEqual(['display', 'stream']);
    await Promise.all(host.held);
    expect(host.page).toEqual([{ 'text/plain': '12' }]);
  });

  it('changes what it showed; of several updates the last one stays', async () => {
    const handle = display('first');
    handle.update('second');
    handle.update('third');
    await handle.shown;
    expect(host.page).toEqual([{ 'text/plain': 'third' }]);
    handle.html('<b>4</b>');
    expect(host.page).toEqual([{ 'text/html': '<b>4</b>' }]);
  });

  it('is not overtaken by the slower formatting of an older value', async () => {
    const handle = newDisplay();
    let release: (() => void) | undefined;
    vi.spyOn(host, 'format').mockImplementationOnce(
      () =>
        new Promise((resolve) => {
          release = () => resolve({ data: { 'text/plain': 'old' }, metadata: {} });
        }),
    );
    handle.update('old');
    handle.update('new');
    await settled();
    release?.();
    await handle.shown;
    expect(host.page).toEqual([{ 'text/plain': 'new' }]);
  });

  it('refuses content of the wrong kind in words', () => {
    expect(() => display.html(1 as unknown as string)).toThrow(
      'display.html: its argument must be a string, got 1',
    );
    expect(() => display.png('x' as unknown as Uint8Array)).toThrow(/display.png: .* Uint8Array, got "x"/);
  });

  it('prints where there is no kernel', () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    withoutHost(() => {
      display({ a: 1 });
      display.markdown('*m*');
      display.html('<b>');
    });
    expect(write.mock.calls.map(([text]) => text)).toEqual([
      '{ a: 1 }\n',
      '*m*\n',
      '(text/html: shown in a notebook only)\n',
    ]);
    write.mockRestore();
  });
});

describe('a movable figure that changes', () => {
  it('is static first, so that the page lets the old one go, and movable at rest', async () => {
    const clock = new FakeClock();
    const entry = new Entry({ clock, rest: 300 });
    entry.show(figure('a'));
    entry.show(figure('b'));
    await clock.pass(299);
    entry.show(figure('c'));
    await clock.pass(299);
    const seen = (): string[] =>
      host.displays.map(
        ({ data }) => `${PLOTLY in data ? 'movable' : 'static'} ${String(data['text/plain'])}`,
      );
    expect(seen()).toEqual(['movable a', 'static b', 'static c']);
    await clock.pass(1);
    expect(seen().at(-1)).toBe('movable c');
    await entry.atRest;
  });

  it('never follows a movable one directly, however fast the changes are', async () => {
    const clock = new FakeClock();
    const entry = new Entry({ clock, rest: 50 });
    for (let i = 0; i < 40; i++) {
      entry.show(i % 7 === 3 ? { data: { 'text/plain': 'words' }, metadata: {} } : figure(String(i)));
      if (i % 3 === 0) await clock.pass(60);
    }
    await clock.pass(60);
    const movable = host.displays.map(({ data }) => PLOTLY in data);
    expect(movable.some((is, i) => is && movable[i - 1])).toBe(false);
    expect(host.page).toEqual([figure('39').data]);
  });

  it('goes straight to its last state where nobody looks on', () => {
    host.headless = true;
    const entry = new Entry();
    entry.show(figure('a'));
    entry.show(figure('b'));
    expect(host.displays.map(({ data }) => PLOTLY in data)).toEqual([true, true]);
  });

  it('keeps the page below in place and the colours of the page', () => {
    const svg = { data: { [PLOTLY]: {}, 'image/svg+xml': '<svg/>' }, metadata: {} };
    expect(still(svg).data).toEqual({
      'text/html': '<div style="min-height:450px"><svg/></div>',
      'text/plain': 'figure',
    });
    const data = { [PLOTLY]: { layout: { height: 300 } }, 'text/html': '<i>', 'text/plain': 'words' };
    expect(still({ data, metadata: {} }).data).toEqual({
      'text/html': '<div style="min-height:300px"><i></div>',
      'text/plain': 'words',
    });
    const words = { data: { 'text/plain': 'words' }, metadata: {} };
    expect(still(words)).toBe(words);
  });
});

describe('the API of tslab', () => {
  it('shows each piece in an entry of its own', () => {
    tslab.display.html('a');
    tslab.display.html('b');
    tslab.display.png(new Uint8Array([1]));
    tslab.display.raw('application/vnd.plotly.v1+json', { data: [] } as unknown as string);
    expect(host.page).toEqual([
      { 'text/html': 'a' },
      { 'text/html': 'b' },
      { 'image/png': 'AQ==' },
      { 'application/vnd.plotly.v1+json': { data: [] } },
    ]);
  });

  it('overwrites the single entry of newDisplay', () => {
    const entry = tslab.newDisplay();
    const methods = ['javascript', 'html', 'markdown', 'latex', 'svg', 'text'] as const;
    for (const method of methods) entry[method](method);
    expect(host.displays.map(({ update }) => update)).toEqual([false, true, true, true, true, true]);
    expect(host.page).toEqual([{ 'text/plain': 'text' }]);
  });

  it('names versions', () => {
    expect(tslab.versions.node).toBe(process.version);
    expect(tslab.versions.typescript).toMatch(/^5\.9\./);
    expect(tslab.versions.tslab).toMatch(/^1\.0\./);
  });

  it('says where it works', () => {
    withoutHost(() => expect(() => tslab.display.html('x')).toThrow(/needs the assay kernel/));
  });
});

describe('the session', () => {
  it('empties the output, asks the reader, and names the cell', async () => {
    clearOutput({ wait: true });
    expect(host.outputs[0].output).toEqual({ kind: 'clear', wait: true });
    host.inputs = ['one', 'two'];
    expect(await input('?')).toBe('one');
    expect(prompt('?')).toBe('two');
    expect(cell.count).toBe(1);
    expect(cell.signal.aborted).toBe(false);
    host.controller.abort();
    expect(() => cell.throwIfInterrupted()).toThrow();
  });

  it('opens comms and answers those of the page', () => {
    const comm = openComm('target', { a: 1 });
    expect(host.comms[0].opened.data).toEqual({ a: 1 });
    expect(comm.targetName).toBe('target');
    registerTarget('probe', (opened) => opened.onMessage((data) => opened.send({ echo: data })));
    const page = host.pageOpens('probe');
    page.receive('x');
    expect(page.sent[0].data).toEqual({ echo: 'x' });
  });

  it('needs a kernel and says so', () => {
    withoutHost(() => {
      expect(() => openComm('x')).toThrow('openComm: needs the assay kernel');
      expect(() => cell.count).toThrow('cell: needs the assay kernel');
    });
  });
});
