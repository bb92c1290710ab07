import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix, win32 } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { dispatch } from '../../../kernel/cli/main.js';
import { projectRoot } from '../../../kernel/cli/root.js';
import { assayKernelspec, jupyterDataFolder } from '../../../kernel/setup/decide.mjs';
import { ownerOf } from '../../../kernel/setup/kernelspecs.mjs';
import { paths } from '../../../kernel/setup/paths.mjs';

const root = projectRoot();
const python = [join(root, '.venv', 'bin', 'python'), join(root, '.venv', 'Scripts', 'python.exe')].find(
  (file) => existsSync(file),
);
const posixJoin = (...parts: string[]): string => posix.join(...parts);
const windowsJoin = (...parts: string[]): string => win32.join(...parts);

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'assay jupyter ä '))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function assay(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const answer = { code: 0, stdout: '', stderr: '' };
  answer.code = await dispatch(args, new AbortController().signal, {
    stdout: (text) => (answer.stdout += text),
    stderr: (text) => (answer.stderr += text),
  });
  return answer;
}

describe('the kernelspec of the project’s kernel', () => {
  const spec = assayKernelspec('C:\\node.exe', 'C:\\p', windowsJoin);

  it('names a Node, the entry and the connection file', () => {
    expect(spec.argv).toEqual(['C:\\node.exe', 'C:\\p\\kernel\\jupyter.mjs', '{connection_file}']);
  });

  it('asks for interrupts by message, which every platform has, and offers the debugger', () => {
    expect(spec).toMatchObject({
      display_name: 'TypeScript (Assay)',
      language: 'typescript',
      interrupt_mode: 'message',
      metadata: { debugger: true },
    });
  });
});

describe('a user’s own Jupyter folder', () => {
  const home = '/home of/ada';
  it.each([
    ['linux', {}, '/home of/ada/.local/share/jupyter'],
    ['linux', { XDG_DATA_HOME: '/x' }, '/x/jupyter'],
    ['linux', { JUPYTER_DATA_DIR: '/own' }, '/own'],
    ['darwin', {}, '/home of/ada/Library/Jupyter'],
    ['darwin', { JUPYTER_PLATFORM_DIRS: '1' }, '/home of/ada/Library/Application Support/Jupyter'],
  ])('on %s with %j is %s', (platform, env, expected) => {
    expect(jupyterDataFolder({ platform, env, home }, posixJoin)).toBe(expected);
  });

  it.each([
    [{ APPDATA: 'C:\\a' }, 'C:\\a\\jupyter'],
    [{ LOCALAPPDATA: 'C:\\l', JUPYTER_PLATFORM_DIRS: '1' }, 'C:\\l\\Jupyter'],
    [{}, 'C:\\ada\\.jupyter\\data'],
  ])('on Windows with %j is %s', (env, expected) => {
    expect(jupyterDataFolder({ platform: 'win32', env, home: 'C:\\ada' }, windowsJoin)).toBe(expected);
  });

  it.skipIf(!python)('is where this machine’s Jupyter looks (needs .venv)', () => {
    const probe = 'from jupyter_core.paths import jupyter_data_dir; print(jupyter_data_dir())';
    const env = {
      HOME: folder,
      USERPROFILE: folder,
      APPDATA: process.env['APPDATA'],
      PATH: process.env['PATH'],
    };
    const { stdout } = spawnSync(python ?? '', ['-c', probe], { encoding: 'utf8', env });
    expect(jupyterDataFolder({ platform: process.platform, env, home: folder }, join)).toBe(stdout.trim());
  });
});

describe('assay jupyter', () => {
  it('installs both kernels under a prefix, again without harm, and takes them away', async () => {
    const prefix = join(folder, 'prefix');
    const kernels = join(prefix, 'share', 'jupyter', 'kernels');
    for (let i = 0; i < 2; i++)
      expect((await assay('jupyter', 'install', '--prefix', prefix, '--kernel', 'assay')).code).toBe(0);
    expect(readdirSync(join(kernels, 'assay')).sort()).toEqual([
      'kernel.json',
      'logo-32x32.png',
      'logo-64x64.png',
      'logo-svg.svg',
    ]);
    const spec = JSON.parse(readFileSync(join(kernels, 'assay', 'kernel.json'), 'utf8')) as {
      argv: string[];
    };
    expect(spec.argv[0]).toBe(process.execPath);
    expect(existsSync(spec.argv[1])).toBe(true);
    const { stdout } = await assay('jupyter', 'uninstall', '--prefix', prefix, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ kernelspecs: [join(kernels, 'assay')] });
    expect(readdirSync(kernels)).toEqual([]);
    const again = await assay('jupyter', 'uninstall', '--prefix', prefix);
    expect(again).toMatchObject({ code: 1 });
    expect(again.stderr).toMatch(/no kernel "assay" or "tslab" is registered/);
  });

  it('leaves a tslab of another origin as it is, unless it is named', async () => {
    const prefix = join(folder, 'foreign');
    const jupyter = join(prefix, 'share', 'jupyter');
    const spec = join(jupyter, 'kernels', 'tslab', 'kernel.json');
    const write = (argv: string[]): void => {
      mkdirSync(join(spec, '..'), { recursive: true });
      writeFileSync(spec, JSON.stringify({ argv }));
    };
    write(['tslab', 'kernel', '--config-path', '{connection_file}']);
    expect(ownerOf(paths, jupyter, 'tslab')).toBe('somebody else');
    const kept = await assay('jupyter', 'uninstall', '--prefix', prefix);
    expect(kept.stderr).toMatch(/left as it is: a "tslab" of another origin/);
    expect(existsSync(spec)).toBe(true);
    expect((await assay('jupyter', 'uninstall', '--prefix', prefix, '--kernel', 'tslab')).code).toBe(0);
    expect(existsSync(spec)).toBe(false);
    write(['node', '/elsewhere/.assay/tslab/node_modules/tslab/bin/tslab', 'kernel']);
    expect(ownerOf(paths, jupyter, 'tslab')).toBe('another checkout');
    expect(ownerOf(paths, jupyter, 'assay')).toBe('nobody');
  });

  it('names another Node for installations whose users cannot reach this one', async () => {
    const prefix = join(folder, 'node');
    const missing = await assay('jupyter', 'install', '--prefix', prefix, '--node', join(folder, 'no-node'));
    expect(missing.stderr).toMatch(/--node: .*no-node must be a program/);
  });

  it.skipIf(!python)(
    'is found by `jupyter kernelspec list`, under a prefix and for a user (needs .venv)',
    async () => {
      const data = join(folder, 'data');
      const prefix = join(folder, 'listed');
      const share = join(prefix, 'share', 'jupyter');
      const listed = (): string | undefined => {
        // The environment's own kernels would come first, and set-up has registered this one there.
        const env = {
          ...process.env,
          JUPYTER_DATA_DIR: data,
          JUPYTER_PATH: share,
          JUPYTER_PREFER_ENV_PATH: '0',
        };
        const list = ['-m', 'jupyter_client.kernelspecapp', 'list', '--json'];
        const { stdout } = spawnSync(python ?? '', list, { encoding: 'utf8', env });
        const { kernelspecs } = JSON.parse(stdout) as {
          kernelspecs: Record<string, { resource_dir: string }>;
        };
        return kernelspecs['assay']?.resource_dir;
      };
      await assay('jupyter', 'install', '--prefix', prefix, '--kernel', 'assay');
      expect(listed()).toBe(join(share, 'kernels', 'assay'));
      await assay('jupyter', 'uninstall', '--prefix', prefix);
      vi.stubEnv('JUPYTER_DATA_DIR', data);
      await assay('jupyter', 'install', '--user', '--kernel', 'assay');
      expect(listed()).toBe(join(data, 'kernels', 'assay'));
      expect((await assay('jupyter', 'uninstall', '--user')).code).toBe(0);
      vi.unstubAllEnvs();
      expect(existsSync(join(data, 'kernels', 'assay'))).toBe(false);
    },
  );

  it.each([
    [['install', '--user', '--sys-prefix'], /exclude each other/],
    [['install', '--kernel', 'python'], /--kernel must be assay, tslab or both, got "python"/],
    [['list'], /say install, uninstall or bench/],
  ])('%j is wrong use', async (args, message) => {
    expect(await assay('jupyter', ...args)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(message) as string,
    });
  });
});

describe('the entry that the kernelspec names', () => {
  const start = (...args: string[]): { status: number | null; stderr: string } =>
    spawnSync(process.execPath, [join(root, 'kernel', 'jupyter.mjs'), ...args], { encoding: 'utf8' });

  it('says what is wrong when people start it', () => {
    expect(start()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/a connection file must be given/) as string,
    });
    expect(start(join(folder, 'none.json')).stderr).toMatch(/none\.json must exist/);
  });
});
