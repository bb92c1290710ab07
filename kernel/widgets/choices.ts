/** Controls that choose: among options, or yes and no. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import type { State } from './state.js';
import { plainCodec, Widget, type Codec, type WidgetOptions } from './widget.js';

/** Options as a list, or as an object from label to value. */
export type Options<T> = readonly T[] | Readonly<Record<string, T>>;

export interface ChoiceOptions<T> extends WidgetOptions {
  options: Options<T>;
  /** One of the options; the first unless said. */
  value?: T;
}

function labelled<T>(what: string, options: Options<T>): { labels: string[]; values: T[] } {
  const list = Array.isArray(options);
  const labels = list
    ? options.map((option) => (typeof option === 'string' ? option : show(option)))
    : Object.keys(options);
  const values = list ? [...(options as readonly T[])] : Object.values(options as Record<string, T>);
  if (values.length === 0) throw new ArgumentError(`${what}: options must not be empty, got none`);
  return { labels, values };
}

/** On the wire a choice is the index of its option. */
function choiceCodec<T>(what: string, values: readonly T[], labels: readonly string[]): Codec<T> {
  return {
    key: 'index',
    check(value) {
      const index = values.findIndex((option) => Object.is(option, value));
      if (index < 0)
        throw new ArgumentError(`${what}: value must be one of ${labels.join(', ')}, got ${show(value)}`);
      return values[index];
    },
    toState: (value) => values.findIndex((option) => Object.is(option, value)),
    fromState: (index) => values[index as number],
  };
}

function choice<T>(
  model: 'Dropdown' | 'SelectionSlider' | 'RadioButtons',
  what: string,
  options: ChoiceOptions<T>,
  state: State = {},
): Widget<T> {
  const { labels, values } = labelled(what, options.options);
  const codec = choiceCodec(what, values, labels);
  const value = 'value' in options ? (options.value as T) : values[0];
  return new Widget(model, codec, { _options_labels: labels, ...state }, value, options);
}

/** A list that opens. */
export function dropdown<const T>(options: ChoiceOptions<T>): Widget<T> {
  return choice('Dropdown', 'dropdown', options);
}

/** A slider over the options in their order. */
export function selectionSlider<const T>(options: ChoiceOptions<T> & { continuous?: boolean }): Widget<T> {
  return choice('SelectionSlider', 'selectionSlider', options, {
    continuous_update: options.continuous ?? true,
  });
}

/** Buttons of which one is chosen, all options in sight. */
export function radioButtons<const T>(
  options: ChoiceOptions<T> & { orientation?: 'vertical' | 'horizontal' },
): Widget<T> {
  return choice('RadioButtons', 'radioButtons', options, { orientation: options.orientation ?? 'vertical' });
}

function needBoolean(what: string, value: unknown): boolean {
  if (typeof value !== 'boolean')
    throw new ArgumentError(`${what}: value must be true or false, got ${show(value)}`);
  return value;
}

/** A box to tick; with `indent` it stands below the other controls and not below their labels. */
export function checkbox(
  options: WidgetOptions & { value?: boolean; indent?: boolean } = {},
): Widget<boolean> {
  const codec = plainCodec((value) => needBoolean('checkbox', value));
  const { indent = false } = options;
  return new Widget('Checkbox', codec, { indent }, options.value ?? false, options);
}

/** Colours of buttons, by what they mean. */
export type ButtonKind = 'primary' | 'success' | 'info' | 'warning' | 'danger';

/** A button that stays pressed. `icon` is a name of Font Awesome, such as `play`. */
export function toggleButton(
  options: WidgetOptions & { value?: boolean; kind?: ButtonKind; icon?: string } = {},
): Widget<boolean> {
  const codec = plainCodec((value) => needBoolean('toggleButton', value));
  const state = { button_style: options.kind ?? '', icon: options.icon ?? '' };
  return new Widget('ToggleButton', codec, state, options.value ?? false, options);
}
