import { posix, win32 } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  aptDownloadedBytes,
  atLeast,
  jupyterEnvironment,
  labArguments,
  lockIsStale,
  megabytes,
  nodeProblem,
  notebookAction,
  parseArguments,
  pickPython,
  pipDownloadedBytes,
  pythonCandidates,
  tslabKernelspec,
  upToDate,
  venvPaths,
  versionNumbers,
  wantsBrowser,
  writeProblem,
} from '../../../kernel/setup/decide.mjs';

const posixJoin = (...parts: string[]): string => posix.join(...parts);
const windowsJoin = (...parts: string[]): string => win32.join(...parts);
const platforms = ['linux', 'darwin', 'win32'];

describe('the command line of set-up', () => {
  it('knows its commands and options', () => {
    const options = parseArguments([
      'start',
      '--no-browser',
      '--port',
      '8899',
      '--offline',
      'some folder',
      '--system',
    ]);
    expect(options).toMatchObject({
      command: 'start',
      browser: false,
      port: 8899,
      offline: 'some folder',
      system: true,
    });
    expect(parseArguments(['start', '--port=0', '--no-system'])).toMatchObject({ port: 0, system: false });
    expect(parseArguments([])).toMatchObject({ command: 'setup', browser: true, system: undefined });
    expect(parseArguments(['pack', 'folder'])).toMatchObject({ command: 'pack', offline: 'folder' });
    expect(parseArguments(['start', '--help']).command).toBe('help');
  });

  it('hands what it does not know to vitest in `test`, and only there', () => {
    expect(parseArguments(['test', 'core', '-t', 'name']).passed).toEqual(['core', '-t', 'name']);
    expect(parseArguments(['test', '--no-system', '--', '--bail=1'])).toMatchObject({
      system: false,
      passed: ['--bail=1'],
    });
    expect(() => parseArguments(['start', '--colour'])).toThrow(/unknown option "--colour"/);
  });

  it.each([
    [['stop'], /unknown command "stop"/],
    [['start', '--port', 'x'], /--port must be a whole number/],
    [['start', '--port', '70000'], /--port must be a whole number/],
    [['start', '--port'], /--port needs a value/],
    [['pack'], /pack needs a folder/],
  ])('refuses %j with a sentence', (argv, message) => {
    expect(() => parseArguments(argv)).toThrow(message);
  });
});

describe('versions', () => {
  it('are compared number by number, and no number is never enough', () => {
    expect(versionNumbers('v20.19.2')).toEqual([20, 19, 2]);
    expect(atLeast([20, 9], [20, 19])).toBe(false);
    expect(atLeast([24], [20, 19])).toBe(true);
    expect(atLeast([3, 10, 0], [3, 10])).toBe(true);
    expect(atLeast(versionNumbers(undefined), [3, 10])).toBe(false);
  });

  it('of Node below the floor are answered with what to install', () => {
    expect(nodeProblem('v20.18.1')).toMatch(/install Node 20\.19 or newer/);
    expect(nodeProblem('v20.19.0')).toBeUndefined();
    expect(nodeProblem('v24.1.0')).toBeUndefined();
  });
});

describe.each(platforms)('Python on %s', (platform) => {
  const good = { command: ['python3'], version: '3.11.7', venv: true };

  it('is looked for under the names of the platform, the chosen one first', () => {
    const names = pythonCandidates(platform, { ASSAY_PYTHON: 'mine' });
    expect(names[0]).toEqual(['mine']);
    expect(names[1]).toEqual(platform === 'win32' ? ['py', '-3'] : ['python3']);
  });

  it('is the first one that is new enough and has venv', () => {
    const old = { version: '3.9.2', venv: true };
    expect(pickPython([old, { version: '3.12.1', venv: false }, good], platform)).toMatchObject({
      python: good,
      problem: undefined,
    });
  });

  it('that is missing, too old or without venv is named with what to do', () => {
    const none = pickPython([], platform);
    expect(none.problem).toBe('none');
    expect(none.advice).toMatch(/No Python was found.*3\.10 or newer.*work without it/s);
    expect(pickPython([{ version: '3.9.2', venv: true }], platform)).toMatchObject({ problem: 'old' });
    const without = pickPython([{ version: '3.12.1', venv: false }], platform);
    expect(without.problem).toBe('venv');
    expect(without.advice).toMatch(platform === 'linux' ? /apt-get install python3-venv/ : /python\.org/);
  });
});

describe('paths', () => {
  it('of a virtual environment follow the platform', () => {
    expect(venvPaths('linux', '/a b/ü/.venv', posixJoin).python).toBe('/a b/ü/.venv/bin/python');
    expect(venvPaths('win32', 'C:\\a b\\.venv', windowsJoin).python).toBe(
      'C:\\a b\\.venv\\Scripts\\python.exe',
    );
    expect(venvPaths('win32', 'C:\\a\\.venv', windowsJoin).share).toBe('C:\\a\\.venv\\share\\jupyter');
  });

  it('of everything Jupyter writes are inside the project', () => {
    const environment = jupyterEnvironment('/p/.assay', posixJoin);
    for (const name of ['JUPYTER_CONFIG_DIR', 'JUPYTER_DATA_DIR', 'JUPYTER_RUNTIME_DIR', 'IPYTHONDIR'])
      expect(environment[name]).toMatch(/^\/p\/\.assay\//);
  });

  it('of the kernel name this Node and the project’s own tslab', () => {
    const spec = tslabKernelspec('C:\\node.exe', 'C:\\p\\.assay\\tslab', windowsJoin);
    expect(spec.argv[0]).toBe('C:\\node.exe');
    expect(spec.argv).toContain('C:\\p\\.assay\\tslab\\node_modules\\tslab\\bin\\tslab');
    expect(spec.argv.at(-1)).toBe('{connection_file}');
  });
});

describe('JupyterLab', () => {
  it('listens on 127.0.0.1 only, without the token on its command line', () => {
    const args = labArguments({ port: 8899, root: '/a b', browser: false, superuser: true });
    expect(args).toContain('--ServerApp.ip=127.0.0.1');
    expect(args).toContain('--ServerApp.root_dir=/a b');
    expect(args).toContain('--allow-root');
    expect(args.join(' ')).not.toMatch(/token/);
    expect(labArguments({ port: 1, root: '/', browser: true, superuser: false })).not.toContain(
      '--allow-root',
    );
  });

  it.each([
    ['linux with a display', { platform: 'linux', env: { DISPLAY: ':0' } }, true],
    ['linux with Wayland', { platform: 'linux', env: { WAYLAND_DISPLAY: 'w' } }, true],
    ['linux without a display', { platform: 'linux', env: {} }, false],
    ['macOS', { platform: 'darwin', env: {} }, true],
    ['Windows', { platform: 'win32', env: {} }, true],
    ['Windows in CI', { platform: 'win32', env: { CI: 'true' } }, false],
  ])('opens a browser on %s as fits', (_name, facts, expected) => {
    expect(wantsBrowser({ option: true, terminal: true, ...facts })).toBe(expected);
    expect(wantsBrowser({ option: false, terminal: true, ...facts })).toBe(false);
    expect(wantsBrowser({ option: true, terminal: false, ...facts })).toBe(false);
  });
});

describe('steps', () => {
  it('are up to date only when every part of the stamp agrees', () => {
    expect(upToDate(undefined, { lock: 'a' })).toBe(false);
    expect(upToDate({ lock: 'a', arch: 'x64' }, { lock: 'a', arch: 'x64' })).toBe(true);
    expect(upToDate({ lock: 'a', arch: 'x64' }, { lock: 'a', arch: 'arm64' })).toBe(false);
  });

  it('leave a changed copy of a notebook alone', () => {
    expect(notebookAction({ master: 'm', copy: undefined, recorded: undefined })).toBe('create');
    expect(notebookAction({ master: 'm', copy: 'm', recorded: 'old' })).toBe('same');
    expect(notebookAction({ master: 'm', copy: 'old', recorded: 'old' })).toBe('update');
    expect(notebookAction({ master: 'm', copy: 'mine', recorded: 'old' })).toBe('keep');
    expect(notebookAction({ master: 'm', copy: 'mine', recorded: undefined })).toBe('keep');
  });

  it('take over a lock whose process is gone, never one that lives', () => {
    const here = { host: 'here', ageSeconds: 1 };
    expect(lockIsStale({ pid: 7, host: 'here' }, { ...here, alive: true })).toBe(false);
    expect(lockIsStale({ pid: 7, host: 'here' }, { ...here, alive: false })).toBe(true);
    expect(lockIsStale({ pid: 7, host: 'elsewhere' }, { ...here, alive: false })).toBe(false);
    expect(lockIsStale(undefined, { ...here, alive: false })).toBe(false);
    expect(lockIsStale(undefined, { ...here, alive: false, ageSeconds: 60 })).toBe(true);
  });
});

describe('megabytes', () => {
  it('of pip are the sum of what it downloaded, cached files not counted', () => {
    const output = [
      '  Downloading jupyterlab-4.6.6-py3-none-any.whl (12.5 MB)',
      '  Using cached plotly-7.1.0-py3-none-any.whl (14.0 MB)',
      '  Downloading idna-3.20-py3-none-any.whl.metadata (7.9 kB)',
    ].join('\n');
    expect(pipDownloadedBytes(output)).toBeCloseTo(12.5e6 + 7.9e3);
  });

  it('of apt are what it said it needs', () => {
    expect(
      aptDownloadedBytes('Need to get 1,234 kB of archives.\nNeed to get 50.5 MB/60 MB of archives.'),
    ).toBeCloseTo(1.234e6 + 50.5e6);
  });

  it('are printed with a digit that means something', () => {
    expect(megabytes(0)).toBe('0.0 MB');
    expect(megabytes(61.04e6)).toBe('61.0 MB');
    expect(megabytes(12e3)).toBe('0.01 MB');
  });
});

describe('a folder that cannot be written', () => {
  it('is named in a sentence with what to do; other errors stay what they are', () => {
    expect(writeProblem({ code: 'EROFS', path: 'here' })).toMatch(
      /^here cannot be written .* copy the project/,
    );
    expect(writeProblem({ code: 'ENOSPC' })).toMatch(/disk is full .* free some space/);
    expect(writeProblem({ code: 'ENOENT' })).toBeUndefined();
  });
});
