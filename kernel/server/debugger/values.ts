/** Values of the user thread as one line of text, from what the inspector tells of them. */
import type { Runtime } from 'node:inspector';

const LONGEST = 200;
const MOST_ITEMS = 12;

const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);
const firstLine = (text: string): string => text.split('\n', 1)[0];

/** Word of the type column: a class's name, or the primitive's type. */
export function typeName(value: Runtime.RemoteObject): string {
  if (value.subtype === 'null') return 'null';
  if (value.type !== 'object') return value.type;
  return value.className ?? value.subtype ?? 'object';
}

/** Number of elements of an array, typed array, map or set. */
export function lengthOf(value: Runtime.RemoteObject): number | undefined {
  if (!['array', 'typedarray', 'map', 'set'].includes(value.subtype ?? '')) return undefined;
  const found = /\((\d+)\)/.exec(value.description ?? '');
  return found ? Number(found[1]) : undefined;
}

/** The value in one short line, as the Variables panel shows it. */
export function valueText(value: Runtime.RemoteObject): string {
  if (value.type === 'string') return cut(JSON.stringify(value.value));
  if (value.type === 'undefined') return 'undefined';
  if (value.subtype === 'null') return 'null';
  if (value.type === 'function') return functionText(value.description ?? '');
  if (value.type !== 'object')
    return cut(value.unserializableValue ?? value.description ?? String(value.value));
  if (value.subtype === 'error') return cut(firstLine(value.description ?? 'Error'));
  return cut(objectText(value));
}

function functionText(source: string): string {
  // Types were blanked out, not cut out.
  const head = firstLine(source)
    .replace(/\s*\{.*$/, '')
    .replace(/\s+(?=[,)\s])/g, '');
  if (head.startsWith('class')) return cut(head);
  return cut(`ƒ ${head.replace(/^(async )?function\s*\*?\s*/, '$1')}`);
}

function objectText(value: Runtime.RemoteObject): string {
  const { preview, description = 'Object', subtype } = value;
  if (!preview || subtype === 'date' || subtype === 'regexp') return description;
  if (preview.entries && preview.entries.length > 0) {
    const entries = preview.entries.map((entry) => {
      const text = previewText(entry.value);
      return entry.key ? `${previewText(entry.key)} => ${text}` : text;
    });
    return `${description} {${listed(entries, preview.overflow)}}`;
  }
  if (subtype === 'array' || subtype === 'typedarray') {
    const items = preview.properties.filter((property) => /^\d+$/.test(property.name)).map(propertyText);
    const name = subtype === 'array' ? '' : `${description} `;
    const count = lengthOf(value) ?? items.length;
    return `${name}[${listed(items, preview.overflow || items.length < count)}]`;
  }
  if (subtype && !['proxy'].includes(subtype) && preview.properties.length === 0) return description;
  const items = preview.properties.map((property) => `${property.name}: ${propertyText(property)}`);
  return `${description === 'Object' ? '' : `${description} `}{${listed(items, preview.overflow)}}`;
}

function listed(items: string[], more: boolean): string {
  const all = more || items.length > MOST_ITEMS ? [...items.slice(0, MOST_ITEMS), '…'] : items;
  return all.join(', ');
}

function propertyText(property: Runtime.PropertyPreview): string {
  if (property.type === 'accessor') return '(getter)';
  if (property.type === 'function') return 'ƒ';
  if (property.type === 'string') return JSON.stringify(property.value ?? '');
  return property.value ?? property.type;
}

function previewText(preview: Runtime.ObjectPreview): string {
  if (preview.type === 'string') return JSON.stringify(preview.description ?? '');
  return preview.description ?? preview.type;
}

/** First line of what was thrown, for messages. */
export function thrownText(details: Runtime.ExceptionDetails): string {
  const thrown = details.exception;
  if (!thrown) return details.text;
  return thrown.subtype === 'error' ? firstLine(thrown.description ?? details.text) : valueText(thrown);
}
