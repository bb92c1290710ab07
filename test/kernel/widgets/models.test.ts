/** Models as the page gets them: names, keys and defaults of ipywidgets, and messages both ways. */
import { beforeEach, describe, expect, it } from 'vitest';
import golden from '../../golden/widget-models.json' with { type: 'json' };
import { LAYOUT, MODELS, STYLES, type ModelName } from '../../../kernel/widgets/defaults.js';
import { PROTOCOL_VERSION } from '../../../kernel/widgets/registry.js';
import { packState, unpackState } from '../../../kernel/widgets/state.js';
import {
  anywidget,
  button,
  dropdown,
  hbox,
  intSlider,
  label,
  output,
  slider,
  tab,
  text,
  vbox,
} from '../../../kernel/widgets/index.js';
import { FakeHost } from '../notebook/fake-host.js';

type Golden = Record<string, { state: Record<string, unknown>; style?: Record<string, unknown> }>;
const models = golden.models as Golden;

/** References to other models have other ids each time. */
const plain = (state: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(state).map(([key, value]: [string, unknown]) => [
      key,
      key === 'layout' || key === 'style' ? 'IPY_MODEL_' : value,
    ]),
  );

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost().install();
});

describe('models of widgets', () => {
  it.each(Object.keys(MODELS) as ModelName[])('%s has the keys and defaults of ipywidgets', (name) => {
    const expected = { ...models[name].state };
    // ipywidgets' own example has options; ours starts without.
    if ('_options_labels' in expected) Object.assign(expected, { _options_labels: [], index: null });
    const state = { ...plain(MODELS[name]) };
    if ('_options_labels' in state) state.index = null;
    expect(state).toEqual(expected);
    expect(STYLES[name]).toEqual(models[name].style);
  });

  it('the layout has the keys of ipywidgets and the protocol its version', () => {
    expect(LAYOUT).toEqual(models.Layout.state);
    expect(PROTOCOL_VERSION).toBe(golden.protocol);
  });

  it('an anywidget has the keys of anywidget', () => {
    anywidget({ esm: 'export default {}' }).open();
    const { state } = host.model('Any').opened.data as { state: Record<string, unknown> };
    const { _anywidget_id, ...rest } = plain(state);
    const expected = { ...models.AnyWidget.state, _model_module_version: '*', _view_module_version: '*' };
    expect(rest).toEqual(expected);
    expect(_anywidget_id).toBeTypeOf('string');
  });
});

describe('a widget that is shown', () => {
  it('opens its models from the inside out, with the protocol version, and names them', () => {
    const box = hbox([intSlider({ min: 0, max: 9, label: 'n' })]);
    expect(host.comms).toEqual([]);
    const bundle = box.bundle();
    expect(host.comms.every((comm) => comm.targetName === 'jupyter.widget')).toBe(true);
    expect(host.comms.every((comm) => comm.opened.metadata?.version === '2.1.0')).toBe(true);
    const inner = host.model('IntSlider');
    const outer = host.model('HBox');
    const state = (outer.opened.data as { state: Record<string, unknown> }).state;
    expect(state.children).toEqual([`IPY_MODEL_${inner.commId}`]);
    expect(host.comms.indexOf(inner)).toBeLessThan(host.comms.indexOf(outer));
    const view = { version_major: 2, version_minor: 0, model_id: outer.commId };
    expect(bundle).toEqual({ 'application/vnd.jupyter.widget-view+json': view, 'text/plain': 'n: 0' });
  });

  it('opens once, however often it is shown', () => {
    const widget = text();
    widget.bundle();
    const count = host.comms.length;
    widget.bundle();
    expect(host.comms.length).toBe(count);
  });

  it('is a line of text where no page renders', () => {
    host.headless = true;
    expect(slider({ min: 0, max: 8, value: 3, label: 'n' }).bundle()).toEqual({ 'text/plain': 'n: 3' });
    expect(vbox([button('Go'), label('hi')]).bundle()).toEqual({ 'text/plain': '[Go]\n"hi"' });
    expect(host.comms).toEqual([]);
  });

  it('sends a changed value once, and nothing when it stays', () => {
    const widget = intSlider({ min: 0, max: 9 });
    widget.open();
    widget.value = 4;
    widget.value = 4;
    expect(host.model('IntSlider').of('update')).toEqual([
      { method: 'update', state: { value: 4 }, buffer_paths: [] },
    ]);
  });

  it('takes a value of the page, echoes it, tells observers and sends nothing else back', () => {
    const widget = intSlider({ min: 0, max: 9 });
    const seen: [number, number][] = [];
    widget.onChange((value, old) => seen.push([value, old]));
    widget.open();
    const comm = host.model('IntSlider');
    comm.receive({ method: 'update', state: { value: 7 }, buffer_paths: [] });
    expect(widget.value).toBe(7);
    expect(seen).toEqual([[7, 0]]);
    expect(comm.sent.map(({ data }) => data)).toEqual([
      { method: 'echo_update', state: { value: 7 }, buffer_paths: [] },
    ]);
  });

  it('refuses a value of the page that it cannot hold and puts the old one back', () => {
    const widget = intSlider({ min: 0, max: 9, value: 2 });
    widget.open();
    const comm = host.model('IntSlider');
    expect(() => comm.receive({ method: 'update', state: { value: 70 } })).toThrow(/from 0 to 9, got 70/);
    expect(widget.value).toBe(2);
    expect(comm.of('update')).toEqual([{ method: 'update', state: { value: 2 }, buffer_paths: [] }]);
  });

  it('ignores keys it does not have', () => {
    const widget = intSlider({ min: 0, max: 9 });
    widget.open();
    const comm = host.model('IntSlider');
    comm.receive({ method: 'update', state: { nonsense: 1, __proto__: { x: 1 } } });
    expect(comm.sent).toEqual([]);
  });

  it('answers a request for its state', () => {
    const widget = dropdown({ options: ['a', 'b'], value: 'b' });
    widget.open();
    const comm = host.model('Dropdown');
    comm.receive({ method: 'request_state' });
    expect(comm.of('update')[0].state).toMatchObject({ index: 1, _options_labels: ['a', 'b'] });
  });

  it('is forgotten when the page or the program closes it', () => {
    const widget = text();
    widget.open();
    const comm = host.model('Text');
    widget.close();
    expect(comm.closed).toBe(true);
    expect(widget.open()).toBeUndefined();
    widget.value = 'still usable';
    expect(widget.value).toBe('still usable');
  });

  it('new children are sent even if they look like the old ones', () => {
    const box = vbox([label('x')]);
    box.open();
    box.children = [label('x')];
    expect(host.model('VBox').of('update')).toHaveLength(1);
  });

  it('cards have titles', () => {
    tab({ One: label('1'), Two: label('2') }).open();
    const { state } = host.model('Tab').opened.data as { state: object };
    expect(state).toMatchObject({ titles: ['One', 'Two'], selected_index: 0 });
  });
});

describe('handlers', () => {
  it('print in the cell that registered them, whatever caused the call', () => {
    const widget = host.in('cell-1', () => {
      const made = intSlider({ min: 0, max: 9 });
      made.onChange((value) => host.output({ kind: 'stream', name: 'stdout', text: `${value}` }));
      return made;
    });
    host.in('cell-2', () => widget.bundle());
    host.model('IntSlider').receive({ method: 'update', state: { value: 5 } });
    expect(host.outputs).toEqual([{ cell: 'cell-1', output: { kind: 'stream', name: 'stdout', text: '5' } }]);
  });

  it('are all called, also when one throws, and the error reaches the kernel', async () => {
    const widget = button('Go');
    const calls: string[] = [];
    widget.onClick(() => {
      throw new Error('first');
    });
    widget.onClick(() => calls.push('second'));
    widget.open();
    const comm = host.model('Button');
    expect(() => comm.receive({ method: 'custom', content: { event: 'click' } })).toThrow('first');
    expect(calls).toEqual(['second']);
    widget.onClick(async () => Promise.reject(new Error('late')));
    await expect(comm.receive({ method: 'custom', content: { event: 'click' } })).rejects.toThrow(
      /2 handlers/,
    );
  });

  it('end when told', () => {
    const widget = intSlider({ min: 0, max: 9 });
    const seen: number[] = [];
    const end = widget.onChange((value) => seen.push(value));
    widget.value = 1;
    end();
    widget.value = 2;
    expect(seen).toEqual([1]);
  });
});

describe('a page that is opened again', () => {
  it('gets all widgets with their present state and bytes', () => {
    const widget = intSlider({ min: 0, max: 9 });
    const own = anywidget({ esm: 'export default {}', state: { data: new Uint8Array([1, 2]) } });
    vbox([widget]).open();
    own.open();
    widget.value = 6;
    const comm = host.pageOpens('jupyter.widget.control');
    comm.receive({ method: 'request_states' });
    const [{ data, buffers }] = comm.sent;
    const { method, states, buffer_paths } = data as {
      method: string;
      states: Record<string, { model_name: string; state: Record<string, unknown> }>;
      buffer_paths: unknown[];
    };
    expect(method).toBe('update_states');
    expect(Object.keys(states)).toHaveLength(host.comms.length);
    const id = host.model('IntSlider').commId;
    expect(states[id]).toMatchObject({
      model_name: 'IntSliderModel',
      model_module: '@jupyter-widgets/controls',
      model_module_version: '2.0.0',
      state: { value: 6 },
    });
    expect(buffer_paths).toEqual([[host.model('Any').commId, 'state', 'data']]);
    expect(buffers).toEqual([new Uint8Array([1, 2])]);
  });
});

describe('bytes in a state', () => {
  it('leave objects, leave null in lists, and come back at the same places', () => {
    const state = { a: new Uint8Array([1]), b: [new Float32Array([1.5]), 2], c: { d: new ArrayBuffer(2) } };
    const packed = packState(state);
    expect(packed.state).toEqual({ b: [null, 2], c: {} });
    expect(packed.buffer_paths).toEqual([['a'], ['b', 0], ['c', 'd']]);
    expect(packed.buffers.map((bytes) => bytes.length)).toEqual([1, 4, 2]);
    const back = unpackState(packed.state, packed.buffer_paths, packed.buffers);
    expect(back.a).toEqual(new Uint8Array([1]));
    expect((back.b as unknown[])[1]).toBe(2);
    expect((back.b as Uint8Array[])[0].length).toBe(4);
  });

  it('that are sent for a place that does not exist change nothing', () => {
    expect(unpackState({ a: 1 }, [['x', 'y'], [], ['__proto__']], [new Uint8Array(1)])).toEqual({ a: 1 });
    expect(({} as Record<string, unknown>).y).toBeUndefined();
  });
});

describe('an anywidget', () => {
  it('shares state and messages with bytes both ways', () => {
    const widget = anywidget({ esm: 'export default {}', state: { count: 1, bytes: new Uint8Array([1]) } });
    const counts: number[] = [];
    widget.onChange('count', (value) => counts.push(value));
    widget.onMessage((content, buffers) => widget.send({ back: content }, buffers));
    widget.open();
    const comm = host.model('Any');
    comm.receive({ method: 'update', state: { count: 2 }, buffer_paths: [['bytes']] }, [new Uint8Array([9])]);
    expect(widget.get('count')).toBe(2);
    expect(widget.get('bytes')).toEqual(new Uint8Array([9]));
    expect(comm.of('echo_update')[0]).toMatchObject({ state: { count: 2 }, buffer_paths: [['bytes']] });
    widget.assign({ count: 5 });
    expect(counts).toEqual([2, 5]);
    comm.receive({ method: 'custom', content: 'hi' }, [new Uint8Array([3])]);
    expect(comm.sent.at(-1)).toMatchObject({
      data: { method: 'custom', content: { back: 'hi' } },
      buffers: [new Uint8Array([3])],
    });
  });

  it('refuses a module that is no text and keys that widgets have', () => {
    expect(() => anywidget({ esm: '' })).toThrow(/esm must be the text of a module/);
    expect(() => anywidget({ esm: 'x', state: { layout: 1 } })).toThrow(/must not use the key "layout"/);
    const widget = anywidget<Record<string, number>>({ esm: 'x', state: { a: 1 } });
    expect(() => widget.assign({ b: 1 })).toThrow(/must have the key "b"/);
  });
});

describe('an output area', () => {
  it('shows what its code prints, as notebooks write outputs', async () => {
    const area = output();
    area.open();
    area.capture(() => {
      host.output({ kind: 'stream', name: 'stdout', text: 'a' });
      host.output({ kind: 'stream', name: 'stdout', text: 'b\n' });
      host.output({ kind: 'display', data: { 'text/plain': 'x' }, metadata: {}, displayId: 'd' });
      host.output({
        kind: 'display',
        data: { 'text/plain': 'y' },
        metadata: {},
        displayId: 'd',
        update: true,
      });
      host.output({ kind: 'error', ename: 'E', evalue: 'v', traceback: [] });
    });
    const shown = (): unknown => host.model('Output').of('update').at(-1)?.state;
    await expect.poll(shown).toEqual({
      outputs: [
        { output_type: 'stream', name: 'stdout', text: 'ab\n' },
        { output_type: 'display_data', data: { 'text/plain': 'y' }, metadata: {} },
        { output_type: 'error', ename: 'E', evalue: 'v', traceback: [] },
      ],
    });
    expect(host.outputs).toEqual([]);
    area.clear();
    expect(shown()).toEqual({ outputs: [] });
  });
});
