/** Processes that belong to the kernel: its children, itself, and the parent it must not outlive. */
import { readdirSync, readFileSync } from 'node:fs';

const POLL_MS = 1000;

/** Signals a process and everything below it; processes that are gone already are no error. */
export function killTree(pid: number, signal: NodeJS.Signals): void {
  // Children first: once their parent is gone nobody can tell whose they were.
  for (const child of childrenOf(pid)) killTree(child, signal);
  // A child started `detached` leads a group of its own.
  if (process.platform !== 'win32') tryKill(-pid, signal);
  tryKill(pid, signal);
}

/**
 * Ends this process at once, in whatever state its threads are. As the leader of its process group (which
 * Jupyter makes it) it takes with it what cells started.
 */
export function killSelf(): void {
  if (process.platform !== 'win32') {
    for (const child of childrenOf(process.pid)) killTree(child, 'SIGKILL');
    tryKill(-process.pid, 'SIGKILL');
  }
  process.kill(process.pid, 'SIGKILL');
}

/** Calls `gone` once when the process that started the kernel has ended. */
export function watchParent(gone: () => void, env: NodeJS.ProcessEnv = process.env): NodeJS.Timeout {
  const first = process.ppid;
  // Jupyter gives the process's number; on Windows it is a handle, which means nothing here.
  const named = process.platform === 'win32' ? first : Number(env.JPY_PARENT_PID);
  const timer = setInterval(() => {
    const orphaned = process.platform !== 'win32' && first !== 1 && process.ppid === 1;
    const lost = env.JPY_PARENT_PID !== undefined && named > 1 && !isAlive(named);
    if (!orphaned && !lost) return;
    clearInterval(timer);
    gone();
  }, POLL_MS);
  return timer;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already, or no such group.
  }
}

/** Linux says in /proc who the children are; elsewhere process groups must do. */
function childrenOf(pid: number): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === pid)
    .map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    // The program's name in brackets may hold anything; the fields after it are numbers.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
