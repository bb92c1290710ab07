// Decisions about system packages as pure functions: facts about the machine in, a plan and its command out.
import { atLeast, versionNumbers } from './decide.mjs';

/** Oldest Mesa whose software Vulkan serves WebGPU. */
export const MESA_FLOOR = 24;
export const BACKPORTS_FILE = '/etc/apt/sources.list.d/assay-backports.sources';

/** ID, VERSION_CODENAME and the rest of an os-release text. */
export function parseOsRelease(text) {
  const fields = {};
  for (const line of (text ?? '').split('\n')) {
    const match = /^([A-Z_]+)=(.*)$/.exec(line.trim());
    if (match) fields[match[1]] = match[2].replace(/^["']|["']$/g, '');
  }
  return fields;
}

/** Whether a release is Debian or derived from it, so that apt-get is its package tool. */
export function isDebianLike(release) {
  return [release.ID, ...(release.ID_LIKE ?? '').split(/\s+/)].some(
    (id) => id === 'debian' || id === 'ubuntu',
  );
}

/**
 * The mirror the machine's own sources use for a suite: {uri, signedBy}, or undefined. `texts` are the contents
 * of sources.list (one line a source) and of the files in sources.list.d (paragraphs), in any order.
 */
export function mirrorFromSources(texts, suite) {
  for (const text of texts) {
    for (const paragraph of text.split(/\n\s*\n/)) {
      const fields = {};
      for (const line of paragraph.split('\n')) {
        const match = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
        if (match) fields[match[1].toLowerCase()] = match[2].trim();
      }
      const types = (fields.types ?? '').split(/\s+/);
      const disabled = /^(no|false|0)$/i.test(fields.enabled ?? 'yes');
      if (types.includes('deb') && !disabled && (fields.suites ?? '').split(/\s+/).includes(suite))
        return { uri: fields.uris.split(/\s+/)[0], signedBy: fields['signed-by'] || undefined };
    }
    for (const line of text.split('\n')) {
      const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)/.exec(line.trim());
      if (match && match[3] === suite)
        return { uri: match[2], signedBy: /signed-by=(\S+)/.exec(match[1] ?? '')?.[1] };
    }
  }
  return undefined;
}

/** Text of the apt source file for backports. */
export function backportsSource(mirror, codename) {
  const signed = mirror.signedBy ? `Signed-By: ${mirror.signedBy}\n` : '';
  return `Types: deb\nURIs: ${mirror.uri}\nSuites: ${codename}-backports\nComponents: main\n${signed}`;
}

/**
 * What system packages are missing and whether set-up may install them.
 *
 * facts: {platform, release, root, terminal, env, option, pythonProblem, adapter, mesaInstalled, mesaCandidate,
 * mirror}; adapter is {found, software, loadable} (loadable: false when the webgpu package has no build for
 * this platform, which no system package cures); terminal: a person can answer; option: true --system, false
 * --no-system. Returns {packages, source, permission, command, reasons, gaps}: permission is one of
 * install | ask | print | forbidden | nothing.
 */
export function systemPlan(facts) {
  const plan = { packages: [], backports: [], source: undefined, reasons: [], gaps: [] };
  if (facts.platform !== 'linux') return { ...plan, permission: 'nothing', command: undefined };
  const debian = isDebianLike(facts.release);
  if (facts.pythonProblem === 'venv' || facts.pythonProblem === 'none') {
    const names = facts.pythonProblem === 'venv' ? ['python3-venv'] : ['python3', 'python3-venv'];
    if (debian) {
      plan.packages.push(...names);
      plan.reasons.push(`${names.join(' and ')} for the virtual environment of JupyterLab`);
    }
  }
  if (needsMesa(facts.adapter, facts.mesaInstalled)) planMesa(facts, debian, plan);
  const command = systemCommand(plan);
  return { ...plan, command, permission: permissionFor(facts, command !== undefined) };
}

/** Software Vulkan is wanted when no adapter answers, or when the one that answers is a Mesa older than the floor. */
function needsMesa(adapter, mesaInstalled) {
  if (adapter.loadable === false) return false;
  if (!adapter.found) return !(mesaInstalled && atLeast(versionNumbers(mesaInstalled), [MESA_FLOOR]));
  return adapter.software && !!mesaInstalled && !atLeast(versionNumbers(mesaInstalled), [MESA_FLOOR]);
}

function planMesa(facts, debian, plan) {
  if (!debian) {
    plan.gaps.push(
      `No WebGPU adapter: install your distribution's Vulkan driver, or Mesa ${MESA_FLOOR} or newer with its software Vulkan (lavapipe).`,
    );
    return;
  }
  if (atLeast(versionNumbers(facts.mesaCandidate), [MESA_FLOOR])) {
    plan.packages.push('mesa-vulkan-drivers');
    plan.reasons.push(
      `mesa-vulkan-drivers ${facts.mesaCandidate}: Vulkan in software, so that WebGPU runs without a GPU`,
    );
    return;
  }
  const codename = facts.release.VERSION_CODENAME;
  if (facts.release.ID === 'debian' && codename === 'bookworm' && facts.mirror) {
    plan.backports.push('mesa-vulkan-drivers');
    plan.source = {
      file: BACKPORTS_FILE,
      text: backportsSource(facts.mirror, codename),
      suite: `${codename}-backports`,
    };
    plan.reasons.push(
      `mesa-vulkan-drivers from ${codename}-backports (this release's own Mesa is older than ${MESA_FLOOR}): Vulkan in software, so that WebGPU runs without a GPU`,
    );
    return;
  }
  plan.gaps.push(
    `No WebGPU adapter, and this release offers Mesa ${facts.mesaCandidate ?? '(none)'} where ${MESA_FLOOR} or newer is needed: use a newer release, or a machine with a GPU driver.`,
  );
}

/** The shell command that does what the plan says, or undefined when there is nothing to do. */
export function systemCommand(plan) {
  const parts = [];
  if (plan.source) {
    const lines = plan.source.text
      .trimEnd()
      .split('\n')
      .map((line) => `'${line}'`);
    parts.push(`printf '%s\\n' ${lines.join(' ')} > ${plan.source.file}`);
  }
  if (plan.packages.length || plan.backports.length) parts.push('apt-get update');
  if (plan.packages.length)
    parts.push(`apt-get install -y --no-install-recommends ${plan.packages.join(' ')}`);
  if (plan.backports.length)
    parts.push(
      `apt-get install -y --no-install-recommends -t ${plan.source.suite} ${plan.backports.join(' ')}`,
    );
  return parts.length ? parts.join(' && ') : undefined;
}

function permissionFor(facts, needed) {
  if (!needed) return 'nothing';
  if (facts.env.ASSAY_SYSTEM === '0' || facts.option === false) return 'forbidden';
  if (!facts.root) return 'print';
  if (facts.option === true || !facts.terminal) return 'install';
  return 'ask';
}

/** How to take back what the plan installed, as sentences for the doctor. */
export function systemUndo(record) {
  const steps = [];
  if (record.packages.length) steps.push(`apt-get remove ${record.packages.join(' ')} && apt-get autoremove`);
  if (record.source) steps.push(`rm ${record.source} && apt-get update`);
  return steps;
}

/** Version apt would install, from the output of `apt-cache policy PACKAGE`; undefined for none. */
export function aptCandidate(policy) {
  const version = /Candidate:\s*(\S+)/.exec(policy)?.[1];
  return version && version !== '(none)' ? version : undefined;
}
