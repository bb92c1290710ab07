/** Controls for the page, in ipywidgets' protocol: JupyterLab and others draw them with what they have. */
export { accordion, Box, hbox, tab, vbox } from './boxes.js';
export { anywidget, AnyWidget, type AnyWidgetOptions } from './anywidget.js';
export { checkbox, dropdown, radioButtons, selectionSlider, toggleButton } from './choices.js';
export type { ButtonKind, ChoiceOptions, Options } from './choices.js';
export type { Change } from './model.js';
export {
  floatLogSlider,
  floatRangeSlider,
  floatSlider,
  floatText,
  intProgress,
  intRangeSlider,
  intSlider,
  intText,
  slider,
  type NumberFieldOptions,
  type Range,
  type SliderOptions,
} from './numbers.js';
export { output, OutputArea } from './output.js';
export { BaseWidget, Widget, type Layout, type WidgetOptions } from './widget.js';
export { Button, button, html, label, text, textarea, type TextOptions } from './words.js';
