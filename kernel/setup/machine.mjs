// Facts about this machine, gathered for the decisions in decide.mjs.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pickPython, pythonCandidates } from './decide.mjs';
import { quick, run } from './process.mjs';
import { aptCandidate, mirrorFromSources, parseOsRelease } from './system-plan.mjs';

const PYTHON_PROBE = [
  'import sys, json',
  'def has(name):',
  '  try:',
  '    __import__(name); return True',
  '  except Exception: return False',
  'print(json.dumps({"version": "%d.%d.%d" % sys.version_info[:3], "executable": sys.executable,',
  '  "venv": has("venv") and has("ensurepip")}))',
].join('\n');

/** The Python set-up would use, or the problem: what pickPython returns. */
export function findPython(platform = process.platform, env = process.env) {
  const probes = [];
  for (const [command, ...args] of pythonCandidates(platform, env)) {
    const { code, stdout } = quick(command, [...args, '-c', PYTHON_PROBE]);
    if (code !== 0) continue;
    try {
      probes.push({ command: [command, ...args], ...JSON.parse(stdout) });
    } catch {
      continue;
    }
    if (pickPython(probes, platform).python) break;
  }
  return pickPython(probes, platform);
}

/** Asks for a WebGPU adapter in a child process: {found, loadable, software, info, features, limits, reason}. */
export async function findAdapter(root) {
  const script = join(dirname(fileURLToPath(import.meta.url)), 'probe-adapter.mjs');
  const result = await run(process.execPath, [script], { cwd: root, timeoutMs: 60000 });
  try {
    return JSON.parse(result.stdout.trim().split('\n').at(-1));
  } catch {
    const how = result.timedOut
      ? 'did not answer within 60 s'
      : `ended with ${result.signal ?? `code ${result.code}`}`;
    return { found: false, loadable: true, reason: `the graphics driver ${how}` };
  }
}

/** Facts of a Debian-like system for systemPlan; asks dpkg and apt-cache only when they exist. */
export function linuxFacts() {
  if (process.platform !== 'linux') return { release: {} };
  const release = parseOsRelease(
    existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '',
  );
  const installed = quick('dpkg-query', [
    '-W',
    '-f',
    '${db:Status-Status} ${Version}',
    'mesa-vulkan-drivers',
  ]);
  const mesaInstalled =
    installed.code === 0 && installed.stdout.startsWith('installed ')
      ? installed.stdout.split(' ')[1]
      : undefined;
  const mesaCandidate = aptCandidate(quick('apt-cache', ['policy', 'mesa-vulkan-drivers']).stdout);
  return {
    release,
    mesaInstalled,
    mesaCandidate,
    mirror: mirrorFromSources(aptSources(), release.VERSION_CODENAME),
  };
}

function aptSources() {
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return ['/etc/apt/sources.list', ...files]
    .filter((file) => /\.(list|sources)$/.test(file) && existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));
}

/** Whether this process is the system's superuser. */
export function isRoot() {
  return process.getuid?.() === 0;
}
