/** ArrayBuffer and DataView: a dump of the first bytes. */
import { types } from 'node:util';
import type { Metadata, MimeBundle } from '../threads/messages.js';
import { isDetached } from './array-view.js';
import { absentForm } from './array-form.js';
import { card, escapeHtml, heading, note } from './html.js';
import { bytesText } from './numbers.js';
import { className } from './safe.js';

const SHOWN = 128;
const ROW = 16;

/** The bytes of an ArrayBuffer, SharedArrayBuffer or DataView; undefined for everything else. */
function bytesOf(value: object): Uint8Array | 'detached' | undefined {
  if (types.isAnyArrayBuffer(value)) return isDetached(value) ? 'detached' : new Uint8Array(value);
  if (!types.isDataView(value)) return undefined;
  if (isDetached(value.buffer)) return 'detached';
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function dump(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(SHOWN, bytes.length); at += ROW) {
    const row = Array.from(bytes.subarray(at, Math.min(at + ROW, SHOWN)));
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const ascii = row.map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex.padEnd(ROW * 3 - 1)}  ${ascii}`);
  }
  return lines;
}

/** Both forms of raw memory, or undefined where the value is none. */
export function bytesForm(value: object): { data: MimeBundle; metadata: Metadata } | undefined {
  const bytes = bytesOf(value);
  if (bytes === undefined) return undefined;
  const title = className(value) || 'ArrayBuffer';
  if (bytes === 'detached')
    return absentForm({ title, facts: [], why: 'its memory was transferred away (detached)' });
  const facts = [bytesText(bytes.length)];
  const lines = dump(bytes);
  const more = bytes.length > SHOWN ? `… ${bytesText(bytes.length - SHOWN)} more` : '';
  return {
    data: {
      'text/plain': [`${title} ${facts[0]}`, ...lines, more].filter((line) => line !== '').join('\n'),
      'text/html': card(
        heading(title, facts) +
          `<div class="m" style="white-space:pre">${escapeHtml(lines.join('\n'))}</div>` +
          (more ? note(more) : ''),
      ),
    },
    metadata: {},
  };
}
