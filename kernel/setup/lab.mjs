// Starts JupyterLab, waits until it answers, prints its address, stops it cleanly.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { jupyterEnvironment, labArguments, wantsBrowser } from './decide.mjs';
import { isRoot } from './machine.mjs';
import { tail } from './process.mjs';
import { SetupError } from './progress.mjs';

/** A free port on 127.0.0.1, or the wanted one; throws with a sentence when that one is taken. */
export function choosePort(wanted = 0) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) =>
      reject(
        new SetupError(
          `Port ${wanted} cannot be used (${error.code}): choose another with --port N, or leave --port out for a free one.`,
        ),
      ),
    );
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Runs JupyterLab until it is stopped; resolves to its exit code (0 after Ctrl-C). */
export async function runLab({ paths, options }) {
  const port = await choosePort(options.port);
  const token = randomBytes(24).toString('hex');
  const terminal = !!process.stdout.isTTY;
  const browser = wantsBrowser({
    option: options.browser,
    platform: process.platform,
    env: process.env,
    terminal,
  });
  mkdirSync(paths.own, { recursive: true });
  const log = createWriteStream(paths.labLog);
  const child = spawn(
    paths.venvAt.python,
    labArguments({ port, root: paths.root, browser, superuser: isRoot() }),
    {
      cwd: paths.root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...jupyterEnvironment(paths.own, join), JUPYTER_TOKEN: token, PYTHONUTF8: '1' },
    },
  );
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const ended = new Promise((resolve) => {
    child.on('error', () => resolve(127));
    child.on('exit', (code) => resolve(code ?? 1));
  });
  const base = `http://127.0.0.1:${port}`;
  const stop = stopper(child, `${base}/api/shutdown`, token);
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  const ready = await Promise.race([answers(`${base}/api/status`, token), ended]);
  if (ready !== true && !stop.called) {
    child.kill();
    const text = existsSync(paths.labLog) ? readFileSync(paths.labLog, 'utf8') : '';
    throw new SetupError(
      `JupyterLab did not start.\n${tail(text)}\n  The whole log is .assay/lab.log; \`assay doctor\` checks the set-up.`,
    );
  }
  if (!stop.called) {
    process.stdout.write(`\nJupyterLab is running at\n  ${base}/lab/tree/my/start.ipynb?token=${token}\n`);
    process.stdout.write(`Choose Run > Run All Cells. Ctrl-C here stops it; its log is .assay/lab.log.\n`);
  }
  const code = await ended;
  log.end();
  if (stop.called) process.stdout.write('\nJupyterLab has stopped.\n');
  return stop.called ? 0 : code;
}

/** Asks Lab to stop; kernels get a few seconds, then the process is ended. */
function stopper(child, shutdown, token) {
  const stop = () => {
    if (stop.called) return;
    stop.called = true;
    // Windows has no signal that a program can answer, so Lab is asked over its own address there.
    if (process.platform === 'win32')
      fetch(shutdown, { method: 'POST', headers: { authorization: `token ${token}` } }).catch(() =>
        child.kill(),
      );
    else child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), 15000).unref();
  };
  stop.called = false;
  return stop;
}

async function answers(url, token) {
  for (let i = 0; i < 1200; i++) {
    try {
      const response = await fetch(url, { headers: { authorization: `token ${token}` } });
      if (response.ok) return true;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}
