// One set-up at a time in one checkout: a lock file with the writer's process id.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { lockIsStale } from './decide.mjs';
import { SetupError } from './progress.mjs';

/** Takes the lock, waiting for another set-up to finish; resolves to a function that gives it back. */
export async function takeLock(file, say, waitSeconds = 1800) {
  mkdirSync(dirname(file), { recursive: true });
  const until = Date.now() + waitSeconds * 1000;
  for (let announced = false; ; announced = true) {
    try {
      writeFileSync(file, JSON.stringify({ pid: process.pid, host: hostname() }), { flag: 'wx' });
      return releaser(file);
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const holder = readLock(file);
    if (!holder) continue;
    if (lockIsStale(holder.lock, holder)) {
      rmSync(file, { force: true });
      continue;
    }
    if (!announced) say(`another set-up (process ${holder.lock?.pid}) is at work here; waiting for it`);
    if (Date.now() > until)
      throw new SetupError(
        `another set-up (process ${holder.lock?.pid}) still holds ${file}: end it or remove that file`,
      );
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

function releaser(file) {
  const release = () => {
    process.off('exit', release);
    if (readLock(file)?.lock?.pid === process.pid) rmSync(file, { force: true });
  };
  process.on('exit', release);
  return release;
}

function readLock(file) {
  try {
    const ageSeconds = (Date.now() - statSync(file).mtimeMs) / 1000;
    let lock;
    try {
      lock = JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      lock = undefined;
    }
    return { lock, host: hostname(), ageSeconds, alive: lock ? isAlive(lock.pid) : false };
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
