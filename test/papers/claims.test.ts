import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkClaim } from '../../lib/papers/ledger/index.js';
import type { Claim } from '../../lib/papers/ledger/types.js';

const folder = fileURLToPath(new URL('../../lib/papers', import.meta.url));

/** Claims of every `lib/papers/<paper>/claims.ts` or `lib/papers/<paper>.ts`: papers are found by name. */
async function findPapers(): Promise<{ paper: string; claims: readonly Claim[] }[]> {
  const papers = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = join(folder, entry.name, ...(entry.isDirectory() ? ['claims.ts'] : []));
    if (entry.name === 'ledger' || !existsSync(file)) continue;
    if (!/export const claims\b/.test(readFileSync(file, 'utf8'))) continue;
    const { claims } = (await import(pathToFileURL(file).href)) as { claims: readonly Claim[] };
    papers.push({ paper: entry.name.replace(/\.ts$/, ''), claims });
  }
  return papers;
}

describe('the claims of all papers', () => {
  it('have sound records, and the last registered hash is that of the criterion', async () => {
    for (const { paper, claims } of await findPapers()) {
      expect(claims.length, `lib/papers/${paper} must hold a claim`).toBeGreaterThan(0);
      expect(claims.flatMap(checkClaim)).toEqual([]);
      expect(claims.every((claim) => claim.paper === paper)).toBe(true);
    }
  });

  it('have distinct ids', async () => {
    const ids = (await findPapers()).flatMap(({ claims }) => claims.map((claim) => claim.id));
    expect(new Set(ids).size).toBe(ids.length);
  });
});
