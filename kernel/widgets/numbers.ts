/** Controls that hold numbers: sliders, ranges, fields and a progress bar. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import type { State } from './state.js';
import { plainCodec, Widget, type WidgetOptions } from './widget.js';

/** A slider from `min` to `max`. */
export interface SliderOptions extends WidgetOptions {
  min: number;
  max: number;
  step?: number;
  value?: number;
  /** Send values while the handle moves (the default) or when it is let go. */
  continuous?: boolean;
  /** How the number beside the slider is written, in d3's format language, such as `.3f`. */
  format?: string;
}

function needNumber(what: string, name: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new ArgumentError(`${what}: ${name} must be a finite number, got ${show(value)}`);
  return value;
}

function needWhole(what: string, name: string, value: unknown): number {
  if (!Number.isInteger(needNumber(what, name, value)))
    throw new ArgumentError(
      `${what}: ${name} must be a whole number, got ${show(value)}; floatSlider takes others`,
    );
  return value as number;
}

function needWithin(what: string, value: number, state: State): number {
  const [min, max] = [state.min as number, state.max as number];
  if (value < min || value > max)
    throw new ArgumentError(`${what}: value must be from ${min} to ${max}, got ${value}`);
  return value;
}

function needRange(what: string, { min, max, step }: SliderOptions): void {
  needNumber(what, 'min', min);
  needNumber(what, 'max', max);
  if (!(min < max)) throw new ArgumentError(`${what}: max must be greater than min (${min}), got ${max}`);
  if (step !== undefined && !(needNumber(what, 'step', step) > 0))
    throw new ArgumentError(`${what}: step must be greater than 0, got ${step}`);
}

function sliderState(options: SliderOptions, step: number): State {
  const state: State = { min: options.min, max: options.max, step };
  if (options.continuous !== undefined) state.continuous_update = options.continuous;
  if (options.format !== undefined) state.readout_format = options.format;
  return state;
}

/** About a hundredth of the range, but 1, 2 or 5 times a power of ten, so that round values are among the steps. */
function roundStep(min: number, max: number): number {
  const wanted = ((max - min) / 100) * (1 + 1e-9);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const factor = [5, 2, 1].find((candidate) => candidate * power <= wanted) ?? 1;
  return Number((factor * power).toPrecision(12));
}

/** Digits after the point that show every step, so that 0.001 does not read 0.00. */
function formatFor(step: number): string {
  const digits = Math.ceil(-Math.log10(step) - 1e-9);
  return `.${Math.min(Math.max(digits, 0), 12)}f`;
}

/** A slider over whole numbers. */
export function intSlider(options: SliderOptions): Widget<number> {
  const what = 'intSlider';
  needRange(what, options);
  for (const name of ['min', 'max', 'step'] as const)
    if (options[name] !== undefined) needWhole(what, name, options[name]);
  const codec = plainCodec((value, state) => needWithin(what, needWhole(what, 'value', value), state));
  return new Widget(
    'IntSlider',
    codec,
    sliderState(options, options.step ?? 1),
    options.value ?? options.min,
    options,
  );
}

/** A slider over real numbers; without `step` it has 100 to 250 steps. */
export function floatSlider(options: SliderOptions): Widget<number> {
  const what = 'floatSlider';
  needRange(what, options);
  const step = options.step ?? roundStep(options.min, options.max);
  const codec = plainCodec((value, state) => needWithin(what, needNumber(what, 'value', value), state));
  const state = sliderState({ format: formatFor(step), ...options }, step);
  return new Widget('FloatSlider', codec, state, options.value ?? options.min, options);
}

/** A slider over powers: `min` and `max` are values, not exponents; `step` is in powers of `base` (0.1). */
export function floatLogSlider(options: SliderOptions & { base?: number }): Widget<number> {
  const what = 'floatLogSlider';
  needRange(what, options);
  const { min, max, base = 10, step = 0.1 } = options;
  if (!(min > 0)) throw new ArgumentError(`${what}: min must be greater than 0, got ${min}`);
  if (!(needNumber(what, 'base', base) > 1))
    throw new ArgumentError(`${what}: base must be greater than 1, got ${base}`);
  const exponent = (value: number): number => Math.log(value) / Math.log(base);
  const codec = plainCodec((value) => {
    const number = needNumber(what, 'value', value);
    // The page computes base ** exponent: its ends may differ from ours in the last bits.
    if (number < min * (1 - 1e-9) || number > max * (1 + 1e-9))
      throw new ArgumentError(`${what}: value must be from ${min} to ${max}, got ${number}`);
    return number;
  });
  const state = { ...sliderState(options, step), min: exponent(min), max: exponent(max), base };
  return new Widget('FloatLogSlider', codec, state, options.value ?? min, options);
}

/**
 * A slider for a number: over whole numbers when `min`, `max`, `step` and `value` are whole, with `log` over powers
 * of ten, else over real numbers. From 0 to 1 without a step it is one over real numbers: two whole ones need none.
 */
export function slider(options: SliderOptions & { log?: boolean }): Widget<number> {
  const { log, ...rest } = options;
  if (log) return floatLogSlider(rest);
  const whole = [rest.min, rest.max, rest.step ?? 1, rest.value ?? rest.min].every(Number.isInteger);
  return whole && (rest.step !== undefined || rest.max - rest.min !== 1)
    ? intSlider(rest)
    : floatSlider(rest);
}

/** Both ends of a range. */
export type Range = readonly [low: number, high: number];

interface RangeOptions extends Omit<SliderOptions, 'value'> {
  value?: Range;
}

function rangeWidget(
  model: 'IntRangeSlider' | 'FloatRangeSlider',
  what: string,
  options: RangeOptions,
  need: (what: string, name: string, value: unknown) => number,
): Widget<Range> {
  const { value, ...rest } = options;
  needRange(what, rest);
  const step = rest.step ?? (model === 'IntRangeSlider' ? 1 : roundStep(rest.min, rest.max));
  const codec = plainCodec<Range>((range, state) => {
    if (!Array.isArray(range) || range.length !== 2)
      throw new ArgumentError(`${what}: value must be a pair [low, high], got ${show(range)}`);
    const [low, high] = range.map((end, i) =>
      needWithin(what, need(what, i === 0 ? 'low' : 'high', end), state),
    );
    if (low > high) throw new ArgumentError(`${what}: low must not be above high, got [${low}, ${high}]`);
    return [low, high];
  });
  const state = sliderState(model === 'IntRangeSlider' ? rest : { format: formatFor(step), ...rest }, step);
  return new Widget(model, codec, state, value ?? [rest.min, rest.max], rest);
}

/** A slider with two handles over whole numbers. */
export function intRangeSlider(options: RangeOptions): Widget<Range> {
  for (const name of ['min', 'max', 'step'] as const)
    if (options[name] !== undefined) needWhole('intRangeSlider', name, options[name]);
  return rangeWidget('IntRangeSlider', 'intRangeSlider', options, needWhole);
}

/** A slider with two handles over real numbers. */
export function floatRangeSlider(options: RangeOptions): Widget<Range> {
  return rangeWidget('FloatRangeSlider', 'floatRangeSlider', options, needNumber);
}

/** A field for a number. */
export interface NumberFieldOptions extends WidgetOptions {
  value?: number;
  step?: number;
}

/** A field for a whole number. */
export function intText(options: NumberFieldOptions = {}): Widget<number> {
  const step = options.step ?? 1;
  const codec = plainCodec((value) => needWhole('intText', 'value', value));
  return new Widget('IntText', codec, { step }, options.value ?? 0, options);
}

/** A field for any number. */
export function floatText(options: NumberFieldOptions = {}): Widget<number> {
  const step = options.step ?? null;
  const codec = plainCodec((value) => needNumber('floatText', 'value', value));
  return new Widget('FloatText', codec, { step }, options.value ?? 0, options);
}

/** A bar that shows how far `value` is from `min` to `max`; for loops `progress` does more by itself. */
export function intProgress(
  options: WidgetOptions & {
    min?: number;
    max?: number;
    value?: number;
    kind?: 'success' | 'info' | 'warning' | 'danger';
  } = {},
): Widget<number> {
  const what = 'intProgress';
  const { min = 0, max = 100, value = min } = options;
  needRange(what, { min, max });
  const codec = plainCodec((at, state) => needWithin(what, needNumber(what, 'value', at), state));
  return new Widget('IntProgress', codec, { min, max, bar_style: options.kind ?? '' }, value, options);
}
