/** Fields for text, text to read, and buttons. */
import { ArgumentError, show } from '../../lib/core/errors.js';
import { BaseWidget, plainCodec, startOf, Widget, type WidgetOptions } from './widget.js';
import type { ButtonKind } from './choices.js';

export interface TextOptions extends WidgetOptions {
  value?: string;
  /** Shown in the empty field. */
  placeholder?: string;
  /** Send the text at every key (the default) or when the field is left. */
  continuous?: boolean;
}

const stringCodec = (what: string) =>
  plainCodec((value): string => {
    if (typeof value !== 'string')
      throw new ArgumentError(`${what}: value must be a string, got ${show(value)}`);
    return value;
  });

/** A field for a line of text. */
export function text(options: TextOptions = {}): Widget<string> {
  return new Widget('Text', stringCodec('text'), textState(options), options.value ?? '', options);
}

/** A field for several lines of text. */
export function textarea(options: TextOptions & { rows?: number } = {}): Widget<string> {
  const state = { ...textState(options), rows: options.rows ?? null };
  return new Widget('Textarea', stringCodec('textarea'), state, options.value ?? '', options);
}

function textState({ placeholder, continuous }: TextOptions): Record<string, unknown> {
  return {
    ...(placeholder === undefined ? {} : { placeholder }),
    ...(continuous === undefined ? {} : { continuous_update: continuous }),
  };
}

/** HTML among widgets. */
export function html(value = '', options: Omit<WidgetOptions, 'disabled'> = {}): Widget<string> {
  return new Widget('HTML', stringCodec('html'), {}, value, options);
}

/** Text among widgets; formulas between dollar signs are set. */
export function label(value = '', options: Omit<WidgetOptions, 'disabled'> = {}): Widget<string> {
  return new Widget('Label', stringCodec('label'), {}, value, options);
}

/** A button; `onClick` says what it does. */
export class Button extends BaseWidget {
  constructor(options: WidgetOptions & { kind?: ButtonKind; icon?: string }) {
    const [state, style] = startOf('Button');
    super({ ...state, button_style: options.kind ?? '', icon: options.icon ?? '' }, style, options);
  }

  /** Calls `handler` at every click; the result ends that. */
  onClick(handler: () => unknown): () => void {
    return this.onMessage((content) =>
      (content as { event?: string } | null)?.event === 'click' ? handler() : undefined,
    );
  }

  get text(): string {
    return `[${this.label}]`;
  }
}

/** A button with words on it. `icon` is a name of Font Awesome, such as `play`. */
export function button(
  label: string,
  options: Omit<WidgetOptions, 'label'> & { kind?: ButtonKind; icon?: string } = {},
): Button {
  return new Button({ ...options, label });
}
