/** Widgets that hold widgets. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import { BaseWidget, startOf, type WidgetOptions } from './widget.js';

type BoxModel = 'HBox' | 'VBox' | 'Tab' | 'Accordion';
type BoxOptions = Omit<WidgetOptions, 'label' | 'disabled' | 'style'>;

/** Widgets side by side, one below the other, or on cards. */
export class Box extends BaseWidget {
  constructor(
    model: BoxModel,
    children: readonly BaseWidget[],
    state: Record<string, unknown>,
    options: BoxOptions,
  ) {
    const [start, style] = startOf(model);
    super({ ...start, ...state, children: checked(children) }, style, options);
  }

  get children(): readonly BaseWidget[] {
    return this.values.children as BaseWidget[];
  }
  set children(children: readonly BaseWidget[]) {
    this.change({ children: checked(children) });
  }

  get text(): string {
    const titles = this.values.titles as string[] | undefined;
    return this.children
      .map((child, i) => (titles?.[i] ? `${titles[i]}: ${child.text}` : child.text))
      .join('\n');
  }
}

function checked(children: readonly BaseWidget[]): BaseWidget[] {
  for (const child of children)
    if (!(child instanceof BaseWidget))
      throw new ArgumentError(`box: children must be widgets, got ${show(child)}`);
  return [...children];
}

/** Widgets side by side. */
export function hbox(children: readonly BaseWidget[], options: BoxOptions = {}): Box {
  return new Box('HBox', children, {}, options);
}

/** Widgets one below the other. */
export function vbox(children: readonly BaseWidget[], options: BoxOptions = {}): Box {
  return new Box('VBox', children, {}, options);
}

/** Widgets on cards with titles: `tab({ Model: vbox([...]), Data: vbox([...]) })`. */
export function tab(cards: Readonly<Record<string, BaseWidget>>, options: BoxOptions = {}): Box {
  const titles = Object.keys(cards);
  const state = { titles, selected_index: titles.length > 0 ? 0 : null };
  return new Box('Tab', Object.values(cards), state, options);
}

/** Widgets under titles that open; all closed at first. */
export function accordion(cards: Readonly<Record<string, BaseWidget>>, options: BoxOptions = {}): Box {
  return new Box('Accordion', Object.values(cards), { titles: Object.keys(cards) }, options);
}
