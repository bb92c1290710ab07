// Steps that bring packages: npm's, the build, Python's, stock tslab.
import { cpSync, existsSync, lstatSync, mkdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { TSLAB_VERSION, pipDownloadedBytes, upToDate } from './decide.mjs';
import { SetupError } from './progress.mjs';
import { fileHash, folderBytes, npm, quick, readJson, run, sha256, tail, writeJson } from './process.mjs';

const NPM_ADVICE =
  'Check the network and the free disk space, then run the command again; without a network use --offline DIR.';

/** The locked npm packages, skipped when the lock file has not changed or what lies there already matches it. */
export async function npmStep({ paths, state, options, progress }) {
  const wanted = { lock: fileHash(join(paths.root, 'package-lock.json')), ...runtime() };
  if (existsSync(paths.modules) && (upToDate(state.npm, wanted) || matchesLock(paths.root))) {
    progress.upToDate('npm packages');
  } else {
    await progress.step('npm packages (npm ci)', () => npmInstall(paths.root, options));
  }
  state.npm = wanted;
  selfLink(paths);
}

function runtime() {
  return { platform: process.platform, arch: process.arch, abi: process.versions.modules };
}

/** Whether node_modules was already filled from this very lock file, by npm itself. */
function matchesLock(root) {
  const lock = readJson(join(root, 'package-lock.json'), { packages: {} }).packages;
  const there = readJson(join(root, 'node_modules', '.package-lock.json'), undefined)?.packages;
  if (!there) return false;
  return Object.entries(lock).every(([path, entry]) => {
    if (path === '' || entry.optional || entry.peer) return true;
    return there[path]?.version === entry.version && there[path]?.integrity === entry.integrity;
  });
}

/** `npm ci` in a folder. Install scripts stay off: no package here needs one, on any npm version. */
async function npmInstall(folder, options) {
  const cache = options.offline ? join(options.offline, 'npm') : await npmCache(folder);
  const before = options.offline ? 0 : folderBytes(join(cache, '_cacache', 'content-v2'));
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  if (options.offline) flags.push('--offline', '--cache', cache);
  const result = await npm(['ci', ...flags], { cwd: folder });
  if (result.code !== 0)
    throw new SetupError(`npm could not install the packages.\n${tail(result.output)}\n  ${NPM_ADVICE}`);
  const bytes = options.offline ? 0 : folderBytes(join(cache, '_cacache', 'content-v2')) - before;
  return { bytes: Math.max(0, bytes), detail: result.stdout.trim().split('\n')[0] || undefined };
}

async function npmCache(folder) {
  const result = await npm(['config', 'get', 'cache'], { cwd: folder });
  return result.stdout.trim().split('\n').at(-1);
}

/** node_modules/assay -> the project, so that notebooks find the library and its types by name. */
function selfLink({ root, modules }) {
  const link = join(modules, 'assay');
  try {
    if (realpathSync(link) === realpathSync(root)) return;
  } catch {
    // Missing, or dangling after the folder was moved: made anew below.
  }
  if (lstatSync(link, { throwIfNoEntry: false })) rmSync(link, { recursive: false, force: true });
  symlinkSync(root, link, process.platform === 'win32' ? 'junction' : 'dir');
}

/** Builds the library and the command line; the build script itself skips what is up to date. */
export async function buildStep({ paths, progress }) {
  const script = join(paths.root, 'kernel', 'build.mjs');
  if (!existsSync(script)) throw new SetupError('kernel/build.mjs is missing: is this a complete checkout?');
  await progress.step('build', async () => {
    const result = await run(process.execPath, [script], { cwd: paths.root });
    if (result.code !== 0)
      throw new SetupError(
        `The build failed.\n${tail(result.output, 30)}\n  Correct the errors above, then run the command again.`,
      );
    const detail = result.output.trim().split('\n').at(-1);
    return { detail: detail && detail.length < 80 ? detail : undefined };
  });
}

function venvStamp(paths) {
  return { requirements: fileHash(paths.requirements), place: sha256(paths.venv) };
}

/** Whether `.venv` is what the requirements ask for, so that no Python has to be looked for. */
export function venvReady({ paths, state }) {
  return upToDate(state.venv, venvStamp(paths)) && existsSync(paths.venvAt.python);
}

/** `.venv` with JupyterLab from the pinned requirements. `python` is what pickPython chose. */
export async function venvStep({ paths, state, options, progress, python }) {
  if (venvReady({ paths, state })) {
    progress.upToDate('JupyterLab in .venv', `Python ${state.venv.python}`);
    return true;
  }
  if (!python) return false;
  await progress.step(`JupyterLab in .venv (Python ${python.version})`, async () => {
    rmSync(paths.venv, { recursive: true, force: true });
    const made = await run(python.command[0], [...python.command.slice(1), '-m', 'venv', paths.venv]);
    if (made.code !== 0) throw new SetupError(`Python could not make .venv.\n${tail(made.output)}`);
    const source = options.offline ? ['--no-index', '--find-links', join(options.offline, 'wheels')] : [];
    const flags = ['--disable-pip-version-check', '--no-input', '--progress-bar', 'off'];
    const result = await run(
      paths.venvAt.python,
      ['-m', 'pip', 'install', ...flags, ...source, '-r', paths.requirements],
      { cwd: paths.root, env: { ...process.env, PYTHONUTF8: '1' } },
    );
    if (result.code !== 0) {
      rmSync(paths.venv, { recursive: true, force: true });
      throw new SetupError(
        `pip could not install JupyterLab.\n${tail(result.output)}\n  Check the network and the free disk space, then run the command again; tests need no JupyterLab: \`npm test\`.`,
      );
    }
    return { bytes: pipDownloadedBytes(result.output) };
  });
  state.venv = { ...venvStamp(paths), python: python.version };
  return true;
}

/** Stock tslab in .assay/tslab. It resolves the project's own library from the notebook's folder. */
export async function tslabStep({ paths, state, options, progress }) {
  const wanted = { lock: fileHash(join(paths.tslabManifest, 'package-lock.json')), ...runtime() };
  if (
    upToDate(state.tslab, wanted) &&
    existsSync(join(paths.tslab, 'node_modules', 'tslab', 'package.json'))
  ) {
    progress.upToDate(`tslab ${TSLAB_VERSION}`);
    return;
  }
  await progress.step(`tslab ${TSLAB_VERSION} (npm ci)`, () => {
    mkdirSync(paths.tslab, { recursive: true });
    for (const file of ['package.json', 'package-lock.json'])
      cpSync(join(paths.tslabManifest, file), join(paths.tslab, file));
    return npmInstall(paths.tslab, options);
  });
  state.tslab = wanted;
}

/** Lab asks on first start whether to fetch news: no, nothing leaves this machine. */
export function labDefaults(paths) {
  const file = join(paths.venvAt.share, 'lab', 'settings', 'overrides.json');
  const settings = {
    '@jupyterlab/apputils-extension:notification': { fetchNews: 'false', checkForUpdates: false },
  };
  if (JSON.stringify(readJson(file, undefined)) !== JSON.stringify(settings)) writeJson(file, settings);
}

/** Fills a folder for --offline on a machine of the same platform and Python version. */
export async function packStep({ paths, options, progress, python }) {
  const folder = options.offline;
  mkdirSync(folder, { recursive: true });
  const scratch = join(folder, 'scratch');
  for (const [title, from] of [
    ['npm packages', paths.root],
    [`tslab ${TSLAB_VERSION}`, paths.tslabManifest],
  ]) {
    await progress.step(`packing ${title}`, async () => {
      rmSync(scratch, { recursive: true, force: true });
      mkdirSync(scratch, { recursive: true });
      for (const file of ['package.json', 'package-lock.json']) cpSync(join(from, file), join(scratch, file));
      const before = folderBytes(folder);
      const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
      const result = await npm(['ci', ...flags, '--cache', join(folder, 'npm')], { cwd: scratch });
      rmSync(scratch, { recursive: true, force: true });
      if (result.code !== 0)
        throw new SetupError(`npm could not fetch the packages.\n${tail(result.output)}`);
      return { bytes: folderBytes(folder) - before };
    });
  }
  if (!python) {
    progress.note('No Python here: the folder holds no wheels, JupyterLab cannot be installed from it.');
    return;
  }
  await progress.step('packing JupyterLab', async () => {
    const wheels = join(folder, 'wheels');
    const before = folderBytes(wheels);
    const [command, ...args] = python.command;
    const result = await run(command, [
      ...args,
      '-m',
      'pip',
      'download',
      '--disable-pip-version-check',
      '-d',
      wheels,
      '-r',
      paths.requirements,
    ]);
    if (result.code !== 0) throw new SetupError(`pip could not fetch JupyterLab.\n${tail(result.output)}`);
    return { bytes: folderBytes(wheels) - before };
  });
}

/** Versions for the doctor: {jupyterlab} as installed in .venv, or undefined. */
export function labVersion(paths) {
  if (!existsSync(paths.venvAt.python)) return undefined;
  const probe = 'from importlib.metadata import version; print(version("jupyterlab"))';
  const { code, stdout } = quick(paths.venvAt.python, ['-c', probe]);
  return code === 0 ? stdout.trim() : undefined;
}
