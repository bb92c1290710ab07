/** Reading fields of a message's content: whatever a peer put there, the answer is a value or a refusal. */
import type { JsonObject } from './wire.js';

/** A request that cannot be carried out as it is; the reply says so and nothing else happens. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}

function wrong(name: string, want: string, value: unknown): BadRequest {
  const text = JSON.stringify(value) ?? 'nothing';
  const shown = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  return new BadRequest(`request: ${name} must be ${want}, got ${shown}`);
}

export function textOf(content: JsonObject, name: string, otherwise?: string): string {
  const value = content[name] ?? otherwise;
  if (typeof value !== 'string') throw wrong(name, 'text', value);
  return value;
}

/** Absent and null mean the default; anything else that is no boolean is refused. */
export function flagOf(content: JsonObject, name: string, otherwise: boolean): boolean {
  const value = content[name] ?? otherwise;
  if (typeof value !== 'boolean') throw wrong(name, 'true or false', value);
  return value;
}

export function integerOf(content: JsonObject, name: string, otherwise?: number): number {
  const value = content[name] ?? otherwise;
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw wrong(name, 'a whole number', value);
  return value;
}

/** A dictionary whose values are texts, such as user_expressions. */
export function textsOf(content: JsonObject, name: string): Record<string, string> {
  const value = content[name] ?? {};
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(name, 'an object', value);
  for (const [key, entry] of Object.entries(value))
    if (typeof entry !== 'string') throw wrong(`${name}.${key}`, 'text', entry);
  return value as Record<string, string>;
}

/** The reply's content when a request failed. */
export function errorContent(error: unknown): JsonObject {
  const ename = error instanceof Error ? error.name : 'Error';
  const evalue = error instanceof Error ? error.message : String(error);
  return { status: 'error', ename, evalue, traceback: [`${ename}: ${evalue}`] };
}
