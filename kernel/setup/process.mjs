// Running other programs, and the small file helpers set-up needs.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Runs a program and collects what it prints: {code, stdout, stderr, output}; code 127 when it cannot start. */
export function run(command, args, options = {}) {
  const { timeoutMs, onLine, ...rest } = options;
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], windowsHide: true, ...rest });
    let stdout = '';
    let stderr = '';
    let timedOut = false;
    const timer = timeoutMs
      ? setTimeout(() => {
          timedOut = true;
          child.kill('SIGKILL');
        }, timeoutMs)
      : undefined;
    child.stdout?.on('data', (data) => {
      stdout += data;
      onLine?.(String(data));
    });
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, stdout, stderr: stderr + error.message, output: stdout + stderr, timedOut });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        code: code ?? (signal ? 128 : 1),
        signal,
        stdout,
        stderr,
        output: stdout + stderr,
        timedOut,
      });
    });
  });
}

/** Runs a quick program synchronously: {code, stdout}. */
export function quick(command, args, options = {}) {
  const result = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: 20000,
    windowsHide: true,
    ...options,
  });
  return { code: result.error ? 127 : (result.status ?? 1), stdout: result.stdout ?? '' };
}

/**
 * Runs npm. On Windows npm is a batch file, which Node starts only through a shell; npm's own script is
 * started with this Node instead, so that no path is ever quoted for a shell.
 */
export function npm(args, options = {}) {
  const script = npmScript();
  return script ? run(process.execPath, [script, ...args], options) : run('npm', args, options);
}

function npmScript() {
  const candidates = [
    process.env.npm_execpath,
    join(dirname(process.execPath), 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ];
  return candidates.find((file) => file && /npm-cli\.js$/.test(file) && existsSync(file));
}

/** The last lines of a program's output, for an error message. */
export function tail(text, lines = 12) {
  return text
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .map((line) => `    ${line}`)
    .join('\n');
}

export function sha256(data) {
  return createHash('sha256').update(data).digest('hex');
}

/** Hash of a file's contents, or undefined when there is none. */
export function fileHash(file) {
  return existsSync(file) ? sha256(readFileSync(file)) : undefined;
}

export function readJson(file, fallback) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return fallback;
  }
}

/** Writes JSON so that a reader sees the old file or the new one, never half of one. */
export function writeJson(file, value) {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(value, null, 2) + '\n');
  renameSync(temporary, file);
}

/** Bytes of all files below a folder; 0 when it does not exist. */
export function folderBytes(folder) {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return 0;
  }
  let bytes = 0;
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) bytes += folderBytes(path);
    else if (entry.isFile()) bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
