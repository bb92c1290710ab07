/** Widgets whose page side is a module written with the notebook (anywidget 0.9 and later). */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ArgumentError, show } from '../../lib/core/errors.js';
import type { State } from './state.js';
import { MODELS } from './defaults.js';
import { BaseWidget, type WidgetOptions } from './widget.js';
import type { Change } from './model.js';

export interface AnyWidgetOptions<S extends object> {
  /** Text of an ES module whose default export has `render({ model, el })`, or the file: URL of one. */
  esm: string | URL;
  /** Text of a style sheet, or the file: URL of one. */
  css?: string | URL;
  /** What page and kernel share; keys must not begin with an underscore. Bytes travel as they are. */
  state?: S;
  /** Names the widget, so that a newer style sheet replaces the older one. */
  id?: string;
  layout?: WidgetOptions['layout'];
}

function source(what: string, given: string | URL): string {
  if (given instanceof URL) return readFileSync(fileURLToPath(given), 'utf8');
  if (typeof given !== 'string' || given.trim() === '')
    throw new ArgumentError(
      `anywidget: ${what} must be the text of a module or a file: URL, got ${show(given)}`,
    );
  return given;
}

const DOM = MODELS.HBox;

function startState<S extends object>(options: AnyWidgetOptions<S>): State {
  const own = { ...options.state } as State;
  for (const key of Object.keys(own))
    if (key.startsWith('_') || ['layout', 'tabbable', 'tooltip', 'comm'].includes(key))
      throw new ArgumentError(`anywidget: state must not use the key ${show(key)}, which widgets have`);
  return {
    _model_name: 'AnyModel',
    _model_module: 'anywidget',
    _model_module_version: '*',
    _view_name: 'AnyView',
    _view_module: 'anywidget',
    _view_module_version: '*',
    _view_count: null,
    _dom_classes: DOM._dom_classes,
    tabbable: null,
    tooltip: null,
    _esm: source('esm', options.esm),
    _css:
      options.css === undefined ? '' : options.css instanceof URL ? source('css', options.css) : options.css,
    _anywidget_id: options.id ?? 'assay.anywidget',
    ...own,
  };
}

/** A widget of one's own: state shared with the page's module, and messages both ways. */
export class AnyWidget<S extends object> extends BaseWidget {
  constructor(options: AnyWidgetOptions<S>) {
    super(startState(options), undefined, { layout: options.layout });
  }

  /** A key of the shared state. */
  get<K extends keyof S & string>(key: K): S[K] {
    return this.values[key] as S[K];
  }

  /** Changes keys of the shared state, here and on the page. */
  assign(changes: Partial<S>): void {
    for (const key of Object.keys(changes))
      if (!Object.hasOwn(this.values, key) || key.startsWith('_'))
        throw new ArgumentError(
          `anywidget: state must have the key ${show(key)} from the start, got a new one`,
        );
    this.change(changes);
  }

  /** Calls `handler` with the new and the old value of a key; the result ends that. */
  onChange<K extends keyof S & string>(key: K, handler: (value: S[K], old: S[K]) => unknown): () => void {
    return this.observe<S[K]>(key, (change: Change<S[K]>) => handler(change.value, change.old));
  }

  /** Gives the page newer code, without a new widget. */
  reload(changes: { esm?: string | URL; css?: string | URL }): void {
    const state: State = {};
    if (changes.esm !== undefined) state._esm = source('esm', changes.esm);
    if (changes.css !== undefined)
      state._css = changes.css instanceof URL ? source('css', changes.css) : changes.css;
    this.change(state);
  }

  get text(): string {
    const own = Object.entries(this.values).filter(([key]) => !key.startsWith('_') && !(key in DOM));
    return own.length === 0 ? 'widget' : own.map(([key, value]) => `${key}: ${show(value)}`).join(', ');
  }
}

/** A widget from a module's text: see anywidget for what `render({ model, el })` gets. */
export function anywidget<S extends object = Record<string, unknown>>(
  options: AnyWidgetOptions<S>,
): AnyWidget<S> {
  return new AnyWidget(options);
}
