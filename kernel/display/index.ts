/** Any value as a MIME bundle: what the last expression of a cell, and `display(value)`, show. */
import type { Metadata, MimeBundle } from '../threads/messages.js';
import { formatErrorText } from './errors.js';
import { displayHook, hookNote, runHook } from './hook.js';
import { LIMITS, type DisplayLimits } from './limits.js';
import { isPrimitive, plainText, primitiveText } from './plain-text.js';
import { richForm } from './rich.js';
import { errorLine, isError } from './safe.js';

export { codeFrame, type CodeFrame } from './code-frame.js';
export {
  errorMessage,
  errorName,
  errorTitle,
  formatErrorText,
  type ErrorTextOptions,
  type StackFrame,
} from './errors.js';
export { LIMITS, type DisplayLimits } from './limits.js';

/** What a value shows in every form it has. */
export interface Formatted {
  data: MimeBundle;
  metadata: Metadata;
}

function textOnly(text: string): Formatted {
  return { data: { 'text/plain': text }, metadata: {} };
}

async function hooked(value: unknown, limits: DisplayLimits): Promise<Formatted | undefined> {
  const hook = displayHook(value);
  if (!hook) return undefined;
  try {
    const made = await runHook(value, hook);
    if (made.data['text/plain'] === undefined) made.data['text/plain'] = plainText(value, limits);
    return made;
  } catch (failure) {
    return textOnly(`${plainText(value, limits)}\n${hookNote(failure)}`);
  }
}

/**
 * The MIME bundle of any value, with readbacks awaited. Always has text/plain and never rejects: what fails on the
 * way is named below the plain text.
 */
export async function formatValue(value: unknown, options: Partial<DisplayLimits> = {}): Promise<Formatted> {
  if (isPrimitive(value)) return textOnly(primitiveText(value));
  const limits = { ...LIMITS, ...options };
  const own = await hooked(value, limits);
  if (own) return own;
  try {
    if (isError(value)) return textOnly(formatErrorText(value, { colour: limits.colour }));
    const rich = await richForm(value as object, limits);
    return rich ?? textOnly(plainText(value, limits));
  } catch (failure) {
    return textOnly(`${plainText(value, limits)}\n(it could not be shown in full: ${errorLine(failure)})`);
  }
}
