// Runs a command for at most so many seconds, then ends it and everything it started; exit code 124.
import { spawn, spawnSync } from 'node:child_process';

const [seconds, command, ...args] = process.argv.slice(2);
const windows = process.platform === 'win32';
const child = spawn(command, args, {
  stdio: 'inherit',
  detached: !windows,
  shell: windows && command === 'npm',
});
const timer = setTimeout(
  () => {
    console.error(`\n${command} ${args.join(' ')}: stopped after ${seconds} s`);
    if (windows) spawnSync('taskkill', ['/pid', String(child.pid), '/t', '/f']);
    else process.kill(-child.pid, 'SIGKILL');
    process.exitCode = 124;
  },
  Number(seconds) * 1000,
);
child.on('error', (error) => {
  clearTimeout(timer);
  console.error(`${command}: ${error.message}`);
  process.exitCode = 127;
});
child.on('exit', (code) => {
  clearTimeout(timer);
  process.exitCode ||= code ?? 1;
});
for (const name of ['SIGINT', 'SIGTERM'])
  process.on(name, () => (windows ? child.kill(name) : process.kill(-child.pid, name)));
