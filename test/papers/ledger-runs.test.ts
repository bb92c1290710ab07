import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DataError } from '../../lib/core/errors.js';
import {
  canonicalJson,
  formatRun,
  hashText,
  judge,
  readRun,
  runFileName,
  runId,
} from '../../lib/papers/ledger/index.js';
import { deviceCard, readRuns, recordRun } from '../../lib/papers/ledger/run-files.js';
import { writeAtomic } from '../../lib/tasks/files.js';
import { temporaryFolder } from '../tasks/temporary.js';
import { losses, makeClaim, makeRun } from './ledger-fixtures.js';

const claim = makeClaim();
const run = makeRun(claim, losses(0));

describe('canonical JSON', () => {
  it('sorts keys, drops undefined, keeps lists, writes special numbers as text', () => {
    expect(canonicalJson({ b: [1, 'x', null], a: undefined, A: { z: true, y: -0 } })).toBe(
      '{"A":{"y":0,"z":true},"b":[1,"x",null]}',
    );
    expect(canonicalJson([NaN, -Infinity])).toBe('["NaN","-Infinity"]');
    expect(() => canonicalJson({ f: () => 0 })).toThrow(/plain data/);
    expect(() => canonicalJson([undefined])).toThrow(/plain data/);
  });

  it('is valid JSON of an equal value for any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });

  it('hashes with sha256', () => {
    expect(hashText('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});

describe('run files', () => {
  it('come back as they were written, special numbers included', () => {
    const odd = makeRun(claim, [
      { arm: 'a', value: NaN, seed: 1 },
      { arm: 'a', value: -Infinity, at: 3 },
    ]);
    for (const original of [run, odd]) {
      const back = readRun(formatRun(original));
      expect(back).toEqual(original);
      expect(runId(back)).toBe(original.id);
      expect(judge(claim, [back])).toEqual(judge(claim, [original]));
    }
    expect(runFileName(run)).toBe(`lesson.linux-x64-2c.${run.id.slice(0, 8)}.json`);
  });

  it('have an id that changes with any member', () => {
    expect(makeRun(claim, losses(0), { wallSeconds: 61 }).id).not.toBe(run.id);
    expect(makeRun(claim, losses(0)).id).toBe(run.id);
  });

  it('are rejected with the name of the field that is wrong', () => {
    const edit = (change: (value: Record<string, unknown>) => void): string => {
      const value = JSON.parse(formatRun(run)) as Record<string, unknown>;
      change(value);
      return JSON.stringify(value);
    };
    const cases: [(value: Record<string, unknown>) => void, string][] = [
      [(v) => delete v['backend'], 'run.backend must be given'],
      [(v) => (v['size'] = 'huge'), 'run.size must be one of smoke, lesson, full'],
      [(v) => (v['wallSeconds'] = -1), 'run.wallSeconds must be a finite number, not negative'],
      [(v) => (v['started'] = 'yesterday'), 'run.started must be an ISO 8601 date and time'],
      [(v) => (v['host'] = 'name'), 'run must have no field "host"'],
      [
        (v) => ((v['device'] as Record<string, unknown>)['user'] = 'me'),
        'run.device must have no field "user"',
      ],
      [
        (v) => (v['measurements'] = { x: [{ arm: 'a', value: '3' }] }),
        'run.measurements["x"][0].value must be a number',
      ],
      [(v) => (v['curves'] = 5), 'run.curves must be a list'],
      [(v) => (v['data'] = [{ name: 'd', sha256: 'zz' }]), 'run.data[0].sha256 must be a sha256'],
      [(v) => (v['wallSeconds'] = 12), 'run.id must be the hash of the content'],
    ];
    for (const [change, message] of cases) {
      expect(() => readRun(edit(change))).toThrow(DataError);
      expect(() => readRun(edit(change))).toThrow(message);
    }
    expect(() => readRun('{"format": 1')).toThrow(/must be JSON/);
    expect(() => readRun('[]')).toThrow(/run must be an object/);
    expect(() => readRun(formatRun(run).slice(0, -40))).toThrow(DataError);
  });
});

describe('the folder of runs', () => {
  it('gives back what was recorded, under a name made of size, device and id', async () => {
    const folder = temporaryFolder();
    const second = makeRun(claim, losses(0.1));
    const path = await recordRun(folder, run);
    await recordRun(folder, run);
    await recordRun(folder, second);
    expect(path).toBe(`${folder}/paper/lesson.linux-x64-2c.${run.id.slice(0, 8)}.json`);
    expect(await readRuns(folder)).toEqual([run, second].sort((a, b) => (a.id < b.id ? -1 : 1)));
    expect(await readRuns(join(folder, 'none'))).toEqual([]);
  });

  it('refuses to record what cannot be read back, and names a malformed file', async () => {
    const folder = temporaryFolder();
    const edited = { ...run, wallSeconds: 1 };
    await expect(recordRun(folder, edited)).rejects.toThrow(/run\.id must be the hash of the content/);
    expect(await readRuns(folder)).toEqual([]);
    await writeAtomic(join(folder, 'paper', 'x.json'), '{}');
    await expect(readRuns(folder)).rejects.toThrow(
      'readRuns: paper/x.json must be a run file: readRun: run.format',
    );
  });

  it('makes a device card without the names of host and user', () => {
    const card = deviceCard('NVIDIA H200');
    expect(card.slug).toMatch(/^[a-z0-9]+-[a-z0-9]+-nvidia-h200$/);
    const text = JSON.stringify([card, deviceCard()]);
    for (const name of [hostname(), userInfo().username]) {
      if (name.length > 4) expect(text.includes(name)).toBe(false);
    }
    const own = makeRun(claim, losses(0), { device: deviceCard() });
    expect(readRun(formatRun(own))).toEqual(own);
  });
});
