/** Controls from what an author writes: `[1, 64]` is a slider, `['chunk', 'scan']` a list, `true` a box to tick. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import {
  checkbox,
  dropdown,
  floatText,
  selectionSlider,
  slider,
  text,
  Widget,
  type SliderOptions,
} from '../widgets/index.js';

/**
 * One control: a widget; `[min, max]` or `[min, max, step]`; a list of options (numbers: four or more); an object
 * from label to option; `{ min, max, step?, value?, log? }`; or a boolean, number or string to start with.
 */
export type Control =
  | Widget<unknown>
  | readonly [number, number]
  | readonly [number, number, number]
  | readonly unknown[]
  | (SliderOptions & { log?: boolean })
  | Readonly<Record<string, unknown>>
  | boolean
  | number
  | string;

export type Controls = Readonly<Record<string, Control>>;

/** The type of the value a control gives. */
export type ControlValue<C> =
  C extends Widget<infer T>
    ? T
    : C extends boolean
      ? boolean
      : C extends number
        ? number
        : C extends string
          ? string
          : C extends readonly number[]
            ? number
            : C extends readonly (infer O)[]
              ? O
              : C extends { readonly min: number; readonly max: number }
                ? number
                : C extends Readonly<Record<string, infer V>>
                  ? V
                  : never;

export type Values<C extends Controls> = { -readonly [K in keyof C]: ControlValue<C[K]> };

function fromNumbers(name: string, control: readonly number[]): Widget<unknown> {
  if (control.length >= 4) return selectionSlider({ options: control, label: name });
  const [min, max, step] = control;
  if (control.length < 2 || !(min < max) || (step !== undefined && !(step > 0 && step <= max - min)))
    throw new ArgumentError(
      `interact: ${name} must be [min, max] or [min, max, step], got ${show(control)}; ` +
        `for a choice among numbers write selectionSlider({ options: ${show(control)} })`,
    );
  return slider({ min, max, step, label: name });
}

/** The widget a control stands for, and whether it was made here. */
export function widgetOf(name: string, control: Control): { widget: Widget<unknown>; made: boolean } {
  if (control instanceof Widget) {
    if (!control.label) control.set({ label: name });
    return { widget: control, made: false };
  }
  return { widget: madeFrom(name, control), made: true };
}

/** Gives labels one width, so that the controls stand below each other. */
export function alignLabels(widgets: readonly Widget<unknown>[]): void {
  if (widgets.length < 2) return;
  // A letter wider than a digit has the two more.
  const width = 2 + Math.max(...widgets.map((widget) => widget.label.length));
  for (const widget of widgets) widget.set({ style: { description_width: `${width}ch` } });
}

function madeFrom(name: string, control: Control): Widget<unknown> {
  if (typeof control === 'boolean') return checkbox({ value: control, label: name, indent: true });
  if (typeof control === 'number') return floatText({ value: control, label: name });
  if (typeof control === 'string') return text({ value: control, label: name });
  if (Array.isArray(control)) {
    if (control.length > 0 && control.every((item) => typeof item === 'number'))
      return fromNumbers(name, control);
    return dropdown({ options: control as unknown[], label: name });
  }
  if (typeof control === 'object' && control !== null) {
    const { min, max } = control as Partial<SliderOptions>;
    if (typeof min === 'number' && typeof max === 'number')
      return slider({ label: name, ...(control as SliderOptions) });
    const prototype: unknown = Object.getPrototypeOf(control);
    if (prototype === Object.prototype || prototype === null)
      return dropdown({ options: control as Record<string, unknown>, label: name });
  }
  throw new ArgumentError(
    `interact: ${name} must be a widget, [min, max], a list or object of options, a boolean, number or string, got ${show(control)}`,
  );
}
