/** Is there a GPU adapter here? Asked in a process of its own, which a broken driver may end. */
import { spawn } from 'node:child_process';
import { root } from '../../structure/support.js';

const PROBE =
  "import { create } from 'webgpu'; globalThis.gpu = create([]); process.exit((await globalThis.gpu.requestAdapter()) ? 0 : 1);";

export function hasAdapter(): Promise<boolean> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROBE], { cwd: root, stdio: 'ignore' });
  return new Promise((resolve) => {
    child.once('exit', (code) => resolve(code === 0));
    child.once('error', () => resolve(false));
  });
}
