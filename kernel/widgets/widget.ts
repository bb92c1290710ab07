/** Widgets a reader sees, and those that hold a value. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import { WIDGET_VIEW } from '../notebook/bundle.js';
import type { MimeBundle } from '../threads/messages.js';
import { LAYOUT, MODELS, STYLES, type ModelName } from './defaults.js';
import { WidgetModel, type Change } from './model.js';
import type { State } from './state.js';

/** Size and place in CSS, such as `{ width: '50%', margin: '4px' }`; `border` sets all four sides. */
export type Layout = Record<string, string | null>;

/** What every widget takes. */
export interface WidgetOptions {
  /** Words beside the control; they name it for a screen reader as well. */
  label?: string;
  disabled?: boolean;
  /** Shown when the pointer rests on the widget. */
  tooltip?: string;
  layout?: Layout;
  /** Keys of the widget's style model, such as `{ handle_color: 'teal' }`. */
  style?: State;
}

const snake = (key: string): string => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

class LayoutModel extends WidgetModel {
  constructor() {
    super({ ...LAYOUT });
  }
  set(layout: Layout): void {
    const changes: State = {};
    for (const [name, value] of Object.entries(layout)) {
      if (name === 'border')
        for (const side of ['top', 'right', 'bottom', 'left']) changes[`border_${side}`] = value;
      else if (!name.startsWith('_') && snake(name) in LAYOUT) changes[snake(name)] = value;
      else
        throw new ArgumentError(
          `layout: its keys must be CSS properties that widgets have (width, height, margin, flex ...), got ${show(name)}`,
        );
    }
    this.change(changes);
  }
}

class StyleModel extends WidgetModel {
  set(style: State): void {
    for (const key of Object.keys(style))
      if (key.startsWith('_') || !Object.hasOwn(this.values, snake(key)))
        throw new ArgumentError(
          `style: its keys must be among ${Object.keys(this.values)
            .filter((name) => !name.startsWith('_'))
            .join(', ')}, got ${show(key)}`,
        );
    this.change(Object.fromEntries(Object.entries(style).map(([key, value]) => [snake(key), value])));
  }
}

/** A widget with a place on the page. */
export abstract class BaseWidget extends WidgetModel {
  private readonly layoutModel: LayoutModel;
  private readonly styleModel: StyleModel | undefined;

  constructor(state: State, style: State | undefined, options: WidgetOptions) {
    const layoutModel = new LayoutModel();
    const styleModel = style && new StyleModel({ ...style });
    super({ ...state, layout: layoutModel, ...(styleModel ? { style: styleModel } : {}) });
    this.layoutModel = layoutModel;
    this.styleModel = styleModel;
    this.set(options);
  }

  /** Changes the label, tooltip, layout or style, or switches the control off and on. */
  set({ label, disabled, tooltip, layout, style }: WidgetOptions): void {
    const changes: State = {};
    if (label !== undefined) changes.description = label;
    if (disabled !== undefined) changes.disabled = disabled;
    if (tooltip !== undefined) changes.tooltip = tooltip;
    for (const key of Object.keys(changes))
      if (!Object.hasOwn(this.values, key))
        throw new ArgumentError(`${this.constructor.name}.set: must be given what it has, got ${key}`);
    // Without this a label longer than about ten letters is cut off.
    if (label && 'description_width' in (this.styleModel?.wire() ?? {}))
      this.styleModel?.set({ description_width: 'initial' });
    if (layout) this.layoutModel.set(layout);
    if (style) {
      if (!this.styleModel)
        throw new ArgumentError(`${this.constructor.name}.set: must be given what it has, got style`);
      this.styleModel.set(style);
    }
    this.change(changes);
  }

  get label(): string {
    return (this.values.description as string | undefined) ?? '';
  }

  /** The widget as a line of text, for readers without widgets. */
  abstract get text(): string;

  /** What a notebook shows of it. */
  bundle(): MimeBundle {
    const id = this.open();
    if (id === undefined) return { 'text/plain': this.text };
    return {
      [WIDGET_VIEW]: { version_major: 2, version_minor: 0, model_id: id },
      'text/plain': this.text,
    };
  }

  [Symbol.for('Jupyter.display')](): MimeBundle {
    return this.bundle();
  }
}

/** The state and style a kind of widget starts with. */
export function startOf(model: ModelName): [state: State, style: State | undefined] {
  return [MODELS[model], STYLES[model]];
}

/** How a value of type T stands in the state. */
export interface Codec<T> {
  readonly key: 'value' | 'index';
  /** The value as it will be held. @throws ArgumentError when it must not be held */
  check(value: unknown, state: State): T;
  toState(value: T): unknown;
  fromState(raw: unknown): unknown;
}

/** A codec for values that stand in the state as they are. */
export function plainCodec<T>(check: (value: unknown, state: State) => T): Codec<T> {
  return { key: 'value', check, toState: (value) => value, fromState: (raw) => raw };
}

/** A control with a value, the same here and on the page. */
export class Widget<T> extends BaseWidget {
  constructor(
    model: ModelName,
    private readonly codec: Codec<T>,
    state: State,
    value: T,
    options: WidgetOptions,
  ) {
    const [start, style] = startOf(model);
    const merged = { ...start, ...state };
    merged[codec.key] = codec.toState(codec.check(value, merged));
    super(merged, style, options);
  }

  get value(): T {
    return this.codec.fromState(this.values[this.codec.key]) as T;
  }

  /** @throws ArgumentError when the control cannot hold the value; the old one then stays */
  set value(value: T) {
    this.change({ [this.codec.key]: this.codec.toState(this.codec.check(value, this.values)) });
  }

  /** Calls `handler` with the new and the old value whenever the reader or the program changes it; the result ends that. */
  onChange(handler: (value: T, old: T) => unknown): () => void {
    const seen = (raw: unknown): T => this.codec.fromState(raw) as T;
    return this.observe(this.codec.key, (change: Change) => handler(seen(change.value), seen(change.old)));
  }

  protected override accept(key: string, value: unknown): unknown {
    if (key !== this.codec.key) return value;
    return this.codec.toState(this.codec.check(this.codec.fromState(value), this.values));
  }

  get text(): string {
    const value = typeof this.value === 'string' ? JSON.stringify(this.value) : textOf(this.value);
    return this.label ? `${this.label}: ${value}` : value;
  }
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(' to ');
  return typeof value === 'object' && value !== null ? show(value) : String(value);
}
