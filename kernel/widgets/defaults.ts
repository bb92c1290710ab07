/**
 * Models of ipywidgets 8 (`@jupyter-widgets/controls` 2.0.0): their names and the state they start with. Front
 * ends know these names and keys; a test compares them with what ipywidgets itself sends.
 */
import type { State } from './state.js';

const CONTROLS = '@jupyter-widgets/controls';
const BASE = '@jupyter-widgets/base';
const OUTPUT = '@jupyter-widgets/output';

/** An empty placeholder would be a line of no height: the page shows this character of no width instead. */
const NO_PLACEHOLDER = '\u200b';

function model(name: string, view: string, module: string, version: string, state: State): State {
  return {
    _model_name: `${name}Model`,
    _model_module: module,
    _model_module_version: version,
    _view_name: view,
    _view_module: module,
    _view_module_version: version,
    _view_count: null,
    ...state,
  };
}

const dom: State = { _dom_classes: [], layout: null, tabbable: null, tooltip: null };
const described: State = { ...dom, description: '', description_allow_html: false, style: null };
const slider: State = {
  ...described,
  disabled: false,
  continuous_update: true,
  orientation: 'horizontal',
  readout: true,
  behavior: 'drag-tap',
};
const selection: State = { ...described, disabled: false, _options_labels: [], index: null };
const words: State = { ...described, placeholder: NO_PLACEHOLDER, value: '' };
const typed: State = { ...words, disabled: false, continuous_update: true };
const field: State = { ...described, disabled: false, continuous_update: false };
const pressed: State = { ...described, disabled: false, button_style: '', icon: '' };
const box: State = { ...dom, box_style: '', children: [] };
const stack: State = { ...box, titles: [], selected_index: null };

function control(name: string, state: State, view = `${name}View`): State {
  return model(name, view, CONTROLS, '2.0.0', state);
}

function without(state: State, ...keys: string[]): State {
  return Object.fromEntries(Object.entries(state).filter(([key]) => !keys.includes(key)));
}

/** Kinds of widgets by the name ipywidgets gives them. */
export const MODELS = {
  IntSlider: control('IntSlider', { ...slider, min: 0, max: 100, step: 1, value: 0, readout_format: 'd' }),
  FloatSlider: control('FloatSlider', {
    ...slider,
    min: 0,
    max: 100,
    step: 0.1,
    value: 0,
    readout_format: '.2f',
  }),
  FloatLogSlider: control('FloatLogSlider', {
    ...slider,
    min: 0,
    max: 4,
    step: 0.1,
    base: 10,
    value: 1,
    readout_format: '.3g',
  }),
  IntRangeSlider: control('IntRangeSlider', {
    ...slider,
    min: 0,
    max: 100,
    step: 1,
    value: [25, 75],
    readout_format: 'd',
  }),
  FloatRangeSlider: control('FloatRangeSlider', {
    ...slider,
    min: 0,
    max: 100,
    step: 0.1,
    value: [25, 75],
    readout_format: '.2f',
  }),
  Dropdown: control('Dropdown', selection),
  SelectionSlider: control('SelectionSlider', { ...slider, _options_labels: [], index: 0 }),
  RadioButtons: control('RadioButtons', { ...selection, orientation: 'vertical' }),
  ToggleButton: control('ToggleButton', { ...pressed, value: false }),
  Checkbox: control('Checkbox', { ...described, disabled: false, indent: true, value: false }),
  Button: control('Button', without(pressed, 'description_allow_html')),
  Text: control('Text', typed),
  Textarea: control('Textarea', { ...typed, rows: null }),
  IntText: control('IntText', { ...field, step: 1, value: 0 }),
  FloatText: control('FloatText', { ...field, step: null, value: 0 }),
  HTML: control('HTML', words),
  Label: control('Label', words),
  IntProgress: control(
    'IntProgress',
    { ...described, bar_style: '', min: 0, max: 100, orientation: 'horizontal', value: 0 },
    'ProgressView',
  ),
  HBox: control('HBox', box),
  VBox: control('VBox', box),
  Tab: control('Tab', stack),
  Accordion: control('Accordion', stack),
  Output: model('Output', 'OutputView', OUTPUT, '1.0.0', { ...dom, msg_id: '', outputs: [] }),
} satisfies Record<string, State>;

export type ModelName = keyof typeof MODELS;

const LAYOUT_KEYS = [
  ...['align_content', 'align_items', 'align_self', 'border_bottom', 'border_left', 'border_right'],
  ...['border_top', 'bottom', 'display', 'flex', 'flex_flow', 'grid_area', 'grid_auto_columns'],
  ...['grid_auto_flow', 'grid_auto_rows', 'grid_column', 'grid_gap', 'grid_row', 'grid_template_areas'],
  ...['grid_template_columns', 'grid_template_rows', 'height', 'justify_content', 'justify_items', 'left'],
  ...['margin', 'max_height', 'max_width', 'min_height', 'min_width', 'object_fit', 'object_position'],
  ...['order', 'overflow', 'padding', 'right', 'top', 'visibility', 'width'],
];

const nothing = (keys: readonly string[]): State => Object.fromEntries(keys.map((key) => [key, null]));

/** Where and how large a widget is: CSS properties, each null until set. */
export const LAYOUT: State = model('Layout', 'LayoutView', BASE, '2.0.0', nothing(LAYOUT_KEYS));

function style(name: string, keys: readonly string[]): State {
  return {
    ...model(name, 'StyleView', CONTROLS, '2.0.0', { description_width: '', ...nothing(keys) }),
    _view_module: BASE,
  };
}

const FONT = [
  'font_family',
  'font_size',
  'font_style',
  'font_variant',
  'font_weight',
  'text_color',
  'text_decoration',
];
const sliderStyle = style('SliderStyle', ['handle_color']);
const textStyle = style('TextStyle', ['background', 'font_size', 'text_color']);
const plainStyle = style('DescriptionStyle', []);

/** Looks of a widget, for those that have a style model. */
export const STYLES: Partial<Record<ModelName, State>> = {
  IntSlider: sliderStyle,
  FloatSlider: sliderStyle,
  FloatLogSlider: sliderStyle,
  IntRangeSlider: sliderStyle,
  FloatRangeSlider: sliderStyle,
  Dropdown: plainStyle,
  SelectionSlider: sliderStyle,
  RadioButtons: plainStyle,
  ToggleButton: style('ToggleButtonStyle', FONT),
  Checkbox: style('CheckboxStyle', ['background']),
  Button: without(style('ButtonStyle', ['button_color', ...FONT]), 'description_width'),
  Text: textStyle,
  Textarea: textStyle,
  IntText: plainStyle,
  FloatText: plainStyle,
  HTML: style('HTMLStyle', ['background', 'font_size', 'text_color']),
  Label: style('LabelStyle', ['background', ...FONT]),
  IntProgress: style('ProgressStyle', ['bar_color']),
};
