/** Canonical JSON and the hashes made of it. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { ArgumentError } from '../../core/errors.js';
import type { Claim, Criterion, Run } from './types.js';

/**
 * JSON with sorted keys and without spaces: equal values give equal text. Members that are `undefined` are left out;
 * -0 is 0; NaN and the infinities are the strings "NaN", "Infinity", "-Infinity".
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value + 0) : `"${value}"`;
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    const members = Object.entries(value as Record<string, unknown>)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  throw new ArgumentError(`canonicalJson: value must be plain data, got ${typeof value}`);
}

/** sha256 of a text, in hex. */
export function hashText(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/** Hash of a claim's criterion, which registrations and runs refer to. */
export function criterionHash(claim: Claim | { criterion: Criterion }): string {
  if (!claim.criterion) {
    throw new ArgumentError(`criterionHash: claim must have a criterion, got none (${(claim as Claim).id})`);
  }
  return hashText(canonicalJson(claim.criterion));
}

/** Content id of a run: the hash of everything but the id. */
export function runId(run: Omit<Run, 'id'> & { id?: string }): string {
  return hashText(canonicalJson({ ...run, id: undefined }));
}
