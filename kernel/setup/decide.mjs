// Decisions of set-up as pure functions: facts about the machine in, what to do out. Nothing here touches the
// machine, so every platform's decisions are tested on every other.

export const NODE_FLOOR = [20, 19];
export const PYTHON_FLOOR = [3, 10];
export const TSLAB_VERSION = '1.0.22';

/** Reads the command line of `kernel/setup.mjs`; throws with a sentence on anything it does not know. */
export function parseArguments(argv) {
  const commands = ['start', 'test', 'setup', 'pack', 'help'];
  const options = { command: 'setup', browser: true, port: undefined, offline: undefined, system: undefined };
  const rest = [...argv];
  if (rest.length && !rest[0].startsWith('-')) options.command = rest.shift();
  if (!commands.includes(options.command))
    throw new Error(`unknown command "${options.command}"; commands: ${commands.join(', ')}`);
  options.passed = [];
  const value = (name) => {
    const text = rest.shift();
    if (text === undefined) throw new Error(`${name} needs a value`);
    return text;
  };
  while (rest.length) {
    const argument = rest.shift();
    const [name, inline] = argument.startsWith('--') ? splitOption(argument) : [argument, undefined];
    if (inline !== undefined) rest.unshift(inline);
    if (name === '--no-browser') options.browser = false;
    else if (name === '--port') options.port = portNumber(value(name));
    else if (name === '--offline') options.offline = value(name);
    else if (name === '--system') options.system = true;
    else if (name === '--no-system') options.system = false;
    else if (name === '--help' || name === '-h') options.command = 'help';
    else if (name === '--' || options.command === 'test') {
      options.passed = name === '--' ? rest.splice(0) : [argument, ...rest.splice(0)];
    } else if (options.command === 'pack' && !name.startsWith('-') && options.offline === undefined)
      options.offline = name;
    else throw new Error(`unknown option "${argument}"; see \`node kernel/setup.mjs help\``);
  }
  if (options.command === 'pack' && options.offline === undefined)
    throw new Error('pack needs a folder: `node kernel/setup.mjs pack DIR`');
  return options;
}

function splitOption(argument) {
  const at = argument.indexOf('=');
  return at < 0 ? [argument, undefined] : [argument.slice(0, at), argument.slice(at + 1)];
}

function portNumber(text) {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new Error(`--port must be a whole number from 0 (any free port) to 65535, got "${text}"`);
  return port;
}

/** Numbers of a version text: "v20.19.2" -> [20, 19, 2]; empty when there are none. */
export function versionNumbers(text) {
  return (/\d+(\.\d+)*/.exec(text ?? '')?.[0] ?? '').split('.').filter(Boolean).map(Number);
}

/** True when `version` is at least `floor`, part by part. */
export function atLeast(version, floor) {
  for (let i = 0; i < floor.length; i++) {
    const part = version[i] ?? 0;
    if (part !== floor[i]) return part > floor[i];
  }
  return version.length > 0;
}

/** A sentence when this Node is too old, otherwise undefined. */
export function nodeProblem(version) {
  if (atLeast(versionNumbers(version), NODE_FLOOR)) return undefined;
  return `Node ${version} is too old: install Node ${NODE_FLOOR.join('.')} or newer (22 or 24 recommended), then run the command again.`;
}

/** A sentence when set-up failed because it may not write or the disk is full, otherwise undefined. */
export function writeProblem({ code, path }) {
  const where = path ?? 'the project folder';
  if (code === 'ENOSPC') return `the disk is full (${where}): free some space, then run the command again.`;
  if (!['EACCES', 'EPERM', 'EROFS'].includes(code)) return undefined;
  return `${where} cannot be written (${code}): set-up keeps everything in the project's folder; copy the project to a folder you may write to.`;
}

/** Commands that may be a Python, best first; each is [command, ...arguments]. */
export function pythonCandidates(platform, env) {
  const chosen = env.ASSAY_PYTHON ? [[env.ASSAY_PYTHON]] : [];
  const numbered = ['3.13', '3.12', '3.11', '3.10'];
  if (platform === 'win32') return [...chosen, ['py', '-3'], ['python'], ['python3']];
  return [...chosen, ['python3'], ['python'], ...numbered.map((v) => [`python${v}`])];
}

/**
 * Picks the Python to make `.venv` with. `probes` are in order of preference: {command, version, venv}, where
 * `venv` tells whether the venv and ensurepip modules are there. Problem is one of none | old | venv | undefined.
 */
export function pickPython(probes, platform) {
  const working = probes.filter((p) => p.version);
  const recent = working.filter((p) => atLeast(versionNumbers(p.version), PYTHON_FLOOR));
  const usable = recent.find((p) => p.venv);
  if (usable) return { python: usable, problem: undefined, advice: undefined };
  const floor = PYTHON_FLOOR.join('.');
  const again = 'then run the command again.';
  if (recent.length) {
    const advice =
      platform === 'linux'
        ? `Python ${recent[0].version} comes without its venv module: install it (on Debian and Ubuntu \`apt-get install python3-venv\`), ${again}`
        : `Python ${recent[0].version} comes without its venv module: install Python ${floor} or newer from python.org, ${again}`;
    return { python: undefined, problem: 'venv', advice };
  }
  const found = working.length ? `Python ${working[0].version} is too old` : 'No Python was found';
  const how = {
    linux: `install Python ${floor} or newer with its venv module (on Debian and Ubuntu \`apt-get install python3 python3-venv\`)`,
    darwin: `install Python ${floor} or newer (python.org, or \`brew install python\`)`,
    win32: `install Python ${floor} or newer (python.org, or \`winget install Python.Python.3.12\`)`,
  };
  return {
    python: undefined,
    problem: working.length ? 'old' : 'none',
    advice: `${found}: for JupyterLab ${how[platform] ?? how.linux}, ${again} Tests, \`assay run\` and \`assay reproduce\` work without it.`,
  };
}

/** Folders of a virtual environment on this platform, joined with `join`. */
export function venvPaths(platform, venv, join) {
  const bin = join(venv, platform === 'win32' ? 'Scripts' : 'bin');
  const exe = platform === 'win32' ? '.exe' : '';
  return { bin, python: join(bin, `python${exe}`), share: join(venv, 'share', 'jupyter') };
}

/** Whether a browser can and should be opened. */
export function wantsBrowser({ option, platform, env, terminal }) {
  if (!option || env.CI || !terminal) return false;
  return platform !== 'linux' || !!(env.DISPLAY || env.WAYLAND_DISPLAY);
}

/** Environment that keeps everything Jupyter writes inside `folder` (never the user's home). */
export function jupyterEnvironment(folder, join) {
  const jupyter = join(folder, 'jupyter');
  return {
    JUPYTER_CONFIG_DIR: join(jupyter, 'config'),
    JUPYTER_DATA_DIR: join(jupyter, 'data'),
    JUPYTER_RUNTIME_DIR: join(jupyter, 'runtime'),
    JUPYTERLAB_SETTINGS_DIR: join(jupyter, 'settings'),
    JUPYTERLAB_WORKSPACES_DIR: join(jupyter, 'workspaces'),
    JUPYTER_PREFER_ENV_PATH: '1',
    IPYTHONDIR: join(folder, 'ipython'),
  };
}

/** Arguments of JupyterLab. The token travels in the environment, where other users cannot read it. */
export function labArguments({ port, root, browser, superuser }) {
  return [
    '-m',
    'jupyterlab',
    '--ServerApp.ip=127.0.0.1',
    `--ServerApp.port=${port}`,
    '--ServerApp.port_retries=0',
    `--ServerApp.root_dir=${root}`,
    '--LabApp.default_url=/lab/tree/my/start.ipynb',
    '--MultiKernelManager.default_kernel_name=assay',
    `--ServerApp.open_browser=${browser ? 'True' : 'False'}`,
    '--ServerApp.answer_yes=True',
    ...(superuser ? ['--allow-root'] : []),
  ];
}

/** The kernelspec of stock tslab: this Node, with tslab from the project's own folder. */
export function tslabKernelspec(node, tslabFolder, join) {
  const start = join(tslabFolder, 'node_modules', 'tslab', 'bin', 'tslab');
  return {
    argv: [
      node,
      '--disable-warning=ExperimentalWarning',
      start,
      'kernel',
      '--config-path',
      '{connection_file}',
    ],
    display_name: 'TypeScript (tslab)',
    language: 'typescript',
    interrupt_mode: 'signal',
  };
}

/**
 * For glibc, which otherwise keeps for good what V8's compilers free: a session's memory stays about 30 MB lower.
 * Other systems ignore them; they count only from a process's start.
 */
export const KERNEL_ENVIRONMENT = { MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };

/** The project's own kernel: this Node, with the entry that says what is missing. */
export function assayKernelspec(node, root, join) {
  return {
    argv: [node, join(root, 'kernel', 'jupyter.mjs'), '{connection_file}'],
    env: KERNEL_ENVIRONMENT,
    display_name: 'TypeScript (Assay)',
    language: 'typescript',
    interrupt_mode: 'message',
    metadata: { debugger: true, supported_features: ['debugger', 'kernel subshells'] },
  };
}

/** Folder of a user's own kernels, as Jupyter finds it on each platform. */
export function jupyterDataFolder({ platform, env, home }, join) {
  if (env.JUPYTER_DATA_DIR) return env.JUPYTER_DATA_DIR;
  const standard = ['1', 'true', 'on', 'yes', 'y'].includes((env.JUPYTER_PLATFORM_DIRS ?? '').toLowerCase());
  if (platform === 'darwin')
    return standard
      ? join(home, 'Library', 'Application Support', 'Jupyter')
      : join(home, 'Library', 'Jupyter');
  if (platform === 'win32') {
    if (standard) return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'Jupyter');
    return env.APPDATA ? join(env.APPDATA, 'jupyter') : join(home, '.jupyter', 'data');
  }
  return join(env.XDG_DATA_HOME || join(home, '.local', 'share'), 'jupyter');
}

/** Whether a step's stamp matches what it would now be made from. */
export function upToDate(stamp, wanted) {
  if (!stamp) return false;
  return Object.keys(wanted).every((key) => stamp[key] === wanted[key]);
}

/**
 * What to do with one master notebook: create | keep | update | same. Hashes are of the cells' sources, so that
 * a copy that was only run still counts as unchanged; `recorded` is the hash at the time of copying.
 */
export function notebookAction({ master, copy, recorded }) {
  if (copy === undefined) return 'create';
  if (copy === master) return 'same';
  return copy === recorded ? 'update' : 'keep';
}

/** Whether a lock file may be taken over: {pid, host} of its writer, whether that process lives. */
export function lockIsStale(lock, { host, alive, ageSeconds }) {
  if (!lock || typeof lock.pid !== 'number') return ageSeconds > 5;
  if (lock.host !== host) return ageSeconds > 3600;
  return !alive;
}

/** Megabytes with one decimal. */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e6 && bytes > 0 ? 2 : 1)} MB`;
}

const UNITS = { kb: 1e3, mb: 1e6, gb: 1e9, bytes: 1, b: 1 };

/** Bytes pip said it downloaded: the sum over its "Downloading x (1.2 MB)" lines; cached files are not in it. */
export function pipDownloadedBytes(output) {
  let bytes = 0;
  for (const match of output.matchAll(/^\s*Downloading \S+ \(([\d.]+) ?([kMG]?B|bytes)\)/gm))
    bytes += Number(match[1]) * UNITS[match[2].toLowerCase()];
  return bytes;
}

/** Bytes apt said it would get: its "Need to get 12.3 MB of archives" line (or "12.3 MB/20 MB"). */
export function aptDownloadedBytes(output) {
  let bytes = 0;
  for (const match of output.matchAll(/Need to get ([\d.,]+) ?([kMG]?B)/g))
    bytes += Number(match[1].replaceAll(',', '')) * UNITS[match[2].toLowerCase()];
  return bytes;
}
