/** Controls hold what they say and refuse everything else in words. */
import { beforeEach, describe, expect, it } from 'vitest';
import {
  checkbox,
  dropdown,
  floatLogSlider,
  floatRangeSlider,
  floatSlider,
  floatText,
  intProgress,
  intRangeSlider,
  intSlider,
  intText,
  label,
  radioButtons,
  selectionSlider,
  slider,
  text,
  textarea,
  toggleButton,
  vbox,
} from '../../../kernel/widgets/index.js';
import { FakeHost } from '../notebook/fake-host.js';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost().install();
});
const state = (model: string): Record<string, unknown> =>
  (host.model(model).opened.data as { state: Record<string, unknown> }).state;

describe('sliders', () => {
  it('are over whole numbers only when everything is whole', () => {
    slider({ min: 1, max: 64 }).open();
    expect(state('IntSlider')).toMatchObject({ min: 1, max: 64, step: 1, value: 1 });
    slider({ min: 0, max: 1 }).open();
    expect(state('FloatSlider')).toMatchObject({ min: 0, max: 1, step: 0.01, readout_format: '.2f' });
    slider({ min: 0.5, max: 2, value: 1 }).open();
    expect(state('FloatSlider')).toMatchObject({ step: 0.01, value: 1 });
    floatSlider({ min: 0, max: 30 }).open();
    expect(state('FloatSlider')).toMatchObject({ step: 0.2, readout_format: '.1f' });
    slider({ min: 0, max: 4, step: 0.001 }).open();
    expect(state('FloatSlider').readout_format).toBe('.3f');
  });

  it('on a logarithmic scale take values, not exponents', () => {
    const widget = slider({ min: 1e-4, max: 1e-1, value: 1e-3, log: true });
    widget.open();
    const sent = state('FloatLogSlider');
    expect(sent.min).toBeCloseTo(-4, 12);
    expect(sent.max).toBeCloseTo(-1, 12);
    expect(widget.value).toBe(1e-3);
    // The page's own power may miss the end by a rounding.
    host.model('FloatLogSlider').receive({ method: 'update', state: { value: 0.10000000000000002 } });
    expect(widget.value).toBe(0.10000000000000002);
  });

  it('refuse values and ranges that cannot be', () => {
    expect(() => intSlider({ min: 0, max: 9, value: 10 })).toThrow(
      'intSlider: value must be from 0 to 9, got 10',
    );
    expect(() => intSlider({ min: 0, max: 9.5 })).toThrow(/max must be a whole number, got 9.5/);
    expect(() => floatSlider({ min: 3, max: 3 })).toThrow(/max must be greater than min \(3\), got 3/);
    expect(() => floatSlider({ min: 0, max: 1, step: 0 })).toThrow(/step must be greater than 0/);
    expect(() => floatSlider({ min: NaN, max: 1 })).toThrow(/min must be a finite number, got NaN/);
    expect(() => floatLogSlider({ min: 0, max: 1 })).toThrow(/min must be greater than 0/);
    const widget = intSlider({ min: 0, max: 9, value: 4 });
    expect(() => (widget.value = 2.5)).toThrow(/whole number/);
    expect(() => (widget.value = '3' as unknown as number)).toThrow(/finite number, got "3"/);
    expect(widget.value).toBe(4);
  });

  it('with two handles hold a pair in order', () => {
    const widget = intRangeSlider({ min: 0, max: 9, value: [2, 5] });
    expect(widget.value).toEqual([2, 5]);
    expect(() => (widget.value = [6, 5])).toThrow(/low must not be above high/);
    expect(() => (widget.value = [0] as unknown as [number, number])).toThrow(/pair/);
    expect(floatRangeSlider({ min: 0, max: 1 }).text).toBe('0 to 1');
  });
});

describe('choices', () => {
  it('hold one of their options, of any type, by index on the wire', () => {
    const first = { deep: true };
    const widget = dropdown<unknown>({ options: { plain: 1, object: first }, value: first });
    widget.open();
    expect(state('Dropdown')).toMatchObject({ _options_labels: ['plain', 'object'], index: 1 });
    host.model('Dropdown').receive({ method: 'update', state: { index: 0 } });
    expect(widget.value).toBe(1);
    expect(() => (widget.value = { deep: true })).toThrow(/must be one of plain, object, got Object/);
    expect(() => host.model('Dropdown').receive({ method: 'update', state: { index: 9 } })).toThrow(/one of/);
    expect(widget.value).toBe(1);
  });

  it('start with the first option and need one', () => {
    expect(selectionSlider({ options: [8, 16, 32] }).value).toBe(8);
    expect(radioButtons({ options: ['a', 'b'], value: 'b' }).value).toBe('b');
    expect(() => dropdown({ options: [] })).toThrow(/options must not be empty/);
  });

  it('of yes and no hold booleans', () => {
    const widget = checkbox({ label: 'on', value: true });
    expect(widget.text).toBe('on: true');
    expect(() => (widget.value = 1 as unknown as boolean)).toThrow(/true or false, got 1/);
    expect(toggleButton().value).toBe(false);
  });
});

describe('fields', () => {
  it('hold text and numbers', () => {
    expect(text({ value: 'a' }).value).toBe('a');
    expect(textarea({ rows: 3 }).value).toBe('');
    expect(() => text({ value: 1 as unknown as string })).toThrow(/value must be a string, got 1/);
    expect(() => intText({ value: 1.5 })).toThrow(/whole number, got 1.5/);
    expect(floatText({ value: 1.5 }).value).toBe(1.5);
    expect(() => (intProgress({ max: 10 }).value = 11)).toThrow(/from 0 to 10, got 11/);
  });
});

describe('looks', () => {
  it('take CSS by either spelling and refuse what no layout has', () => {
    const widget = text({
      layout: { maxWidth: '50%', border: '1px solid' },
      style: { description_width: '9em' },
    });
    widget.open();
    expect(state('Layout')).toMatchObject({ max_width: '50%', border_left: '1px solid' });
    expect(state('TextStyle').description_width).toBe('9em');
    expect(() => text({ layout: { colour: 'red' } })).toThrow(/CSS properties that widgets have.*"colour"/);
    expect(() => text({ style: { nope: 1 } })).toThrow(/keys must be among .*got "nope"/);
  });

  it('show a long label whole', () => {
    text({ label: 'a label of many words' }).open();
    expect(state('TextStyle').description_width).toBe('initial');
  });

  it('can be changed while shown', () => {
    const widget = text();
    widget.open();
    widget.set({ disabled: true, label: 'name' });
    expect(host.model('Text').of('update')[0].state).toEqual({ description: 'name', disabled: true });
    expect(() => label('x').set({ disabled: true })).toThrow(/got disabled/);
    expect(() => vbox(['x' as never])).toThrow(/children must be widgets, got "x"/);
  });
});
