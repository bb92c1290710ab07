import { describe, expect, it } from 'vitest';
import {
  BACKPORTS_FILE,
  aptCandidate,
  isDebianLike,
  mirrorFromSources,
  parseOsRelease,
  systemPlan,
  systemUndo,
  type SystemFacts,
} from '../../../kernel/setup/system-plan.mjs';

const bookworm = { ID: 'debian', VERSION_CODENAME: 'bookworm' };
const trixie = { ID: 'debian', VERSION_CODENAME: 'trixie' };
const jammy = { ID: 'ubuntu', ID_LIKE: 'debian', VERSION_CODENAME: 'jammy' };
const mirror = { uri: 'http://mirror.example/debian', signedBy: '/keys/archive.gpg' };

const none = { found: false, software: false, loadable: true };
const container: SystemFacts = {
  platform: 'linux',
  release: bookworm,
  root: true,
  terminal: false,
  env: {},
  option: undefined,
  pythonProblem: undefined,
  adapter: none,
  mesaCandidate: '22.3.6-1+deb12u1',
  mirror,
};

describe('the sources of the machine', () => {
  it('give the mirror in the paragraph form', () => {
    const text = [
      'Types: deb\n# a comment\nURIs: http://mirror.example/debian-security\nSuites: bookworm-security\nComponents: main',
      'Types: deb deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nSigned-By: /keys/archive.gpg',
    ].join('\n\n');
    expect(mirrorFromSources([text], 'bookworm')).toEqual(mirror);
    expect(mirrorFromSources([text], 'sid')).toBeUndefined();
  });

  it('give the mirror in the one-line form, and a disabled source never counts', () => {
    const line = 'deb [arch=amd64 signed-by=/keys/archive.gpg] http://mirror.example/debian bookworm main\n';
    expect(mirrorFromSources(['# deb http://other bookworm main', line], 'bookworm')).toEqual(mirror);
    const disabled = 'Types: deb\nEnabled: no\nURIs: http://mirror.example/debian\nSuites: bookworm';
    expect(mirrorFromSources([disabled], 'bookworm')).toBeUndefined();
  });

  it('offer a version of a package, or none', () => {
    const policy = 'mesa:\n  Installed: (none)\n  Candidate: 22.3.6-1+deb12u1\n';
    expect(aptCandidate(policy)).toBe('22.3.6-1+deb12u1');
    expect(aptCandidate('mesa:\n  Candidate: (none)\n')).toBeUndefined();
  });

  it('tell Debian and what derives from it from the rest', () => {
    expect(isDebianLike(parseOsRelease('ID=debian\nVERSION_CODENAME=bookworm\n'))).toBe(true);
    expect(isDebianLike(parseOsRelease('ID=linuxmint\nID_LIKE="ubuntu debian"\n'))).toBe(true);
    expect(isDebianLike(parseOsRelease('ID="fedora"\n'))).toBe(false);
    expect(isDebianLike({})).toBe(false);
  });
});

describe('system packages', () => {
  it.each(['darwin', 'win32'])('are never touched on %s, which needs no Mesa', (platform) => {
    expect(systemPlan({ ...container, platform, pythonProblem: 'none' })).toMatchObject({
      permission: 'nothing',
      packages: [],
      command: undefined,
    });
  });

  it('bring Mesa from backports on a release whose own is too old, through a source file of its own', () => {
    const plan = systemPlan(container);
    expect(plan).toMatchObject({ permission: 'install', packages: [], backports: ['mesa-vulkan-drivers'] });
    expect(plan.source?.file).toBe(BACKPORTS_FILE);
    expect(plan.source?.text).toBe(
      'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm-backports\nComponents: main\nSigned-By: /keys/archive.gpg\n',
    );
    expect(plan.command).toMatch(
      /apt-get update && apt-get install -y .* -t bookworm-backports mesa-vulkan-drivers$/,
    );
  });

  it('bring the release’s own Mesa where it is new enough', () => {
    const plan = systemPlan({ ...container, release: trixie, mesaCandidate: '25.0.7-2' });
    expect(plan).toMatchObject({
      permission: 'install',
      packages: ['mesa-vulkan-drivers'],
      source: undefined,
    });
  });

  it('bring nothing when an adapter answers', () => {
    expect(systemPlan({ ...container, adapter: { found: true, software: false } }).permission).toBe(
      'nothing',
    );
    const lavapipe = { found: true, software: true };
    expect(systemPlan({ ...container, adapter: lavapipe, mesaInstalled: '25.0.7' }).permission).toBe(
      'nothing',
    );
  });

  it('replace a software adapter of a Mesa that is too old', () => {
    const lavapipe = { found: true, software: true };
    expect(systemPlan({ ...container, adapter: lavapipe, mesaInstalled: '22.3.6' }).permission).toBe(
      'install',
    );
  });

  it('bring nothing where the GPU package has no build, or where a new Mesa is there already', () => {
    expect(systemPlan({ ...container, adapter: { ...none, loadable: false } }).permission).toBe('nothing');
    expect(systemPlan({ ...container, mesaInstalled: '25.0.7' }).permission).toBe('nothing');
  });

  it('say what to do where no new enough Mesa is offered', () => {
    for (const facts of [
      { ...container, release: jammy, mesaCandidate: '23.2.1' },
      { ...container, mirror: undefined },
      { ...container, release: { ID: 'fedora' } },
      { ...container, release: { ID: 'alpine' }, mesaCandidate: undefined },
    ]) {
      const plan = systemPlan(facts);
      expect(plan).toMatchObject({ permission: 'nothing', command: undefined });
      expect(plan.gaps).toHaveLength(1);
      expect(plan.gaps[0]).toMatch(/^No WebGPU adapter/);
    }
  });

  it('bring what Debian splits off from Python', () => {
    const found = { ...container, adapter: { found: true, software: false } };
    expect(systemPlan({ ...found, pythonProblem: 'venv' }).packages).toEqual(['python3-venv']);
    expect(systemPlan({ ...found, pythonProblem: 'none' }).packages).toEqual(['python3', 'python3-venv']);
    expect(systemPlan({ ...found, pythonProblem: 'old' }).permission).toBe('nothing');
  });

  it.each([
    ['root without a terminal', {}, 'install'],
    ['root at a terminal', { terminal: true }, 'ask'],
    ['root at a terminal with --system', { terminal: true, option: true }, 'install'],
    ['an ordinary user', { root: false }, 'print'],
    ['an ordinary user with --system', { root: false, option: true }, 'print'],
    ['ASSAY_SYSTEM=0', { env: { ASSAY_SYSTEM: '0' } }, 'forbidden'],
    ['ASSAY_SYSTEM=0 even with --system', { env: { ASSAY_SYSTEM: '0' }, option: true }, 'forbidden'],
    ['--no-system', { option: false }, 'forbidden'],
  ])('are for %s: %s', (_who, facts, permission) => {
    const plan = systemPlan({ ...container, ...facts });
    expect(plan.permission).toBe(permission);
    expect(plan.command).toContain('mesa-vulkan-drivers');
  });

  it('can be taken back', () => {
    expect(systemUndo({ packages: ['mesa-vulkan-drivers'], source: BACKPORTS_FILE })).toEqual([
      'apt-get remove mesa-vulkan-drivers && apt-get autoremove',
      `rm ${BACKPORTS_FILE} && apt-get update`,
    ]);
    expect(systemUndo({ packages: [] })).toEqual([]);
  });
});
