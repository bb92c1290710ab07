import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { diagnose, measureSpeed, wasmFeatures } from '../../../kernel/cli/doctor.js';
import { dispatch } from '../../../kernel/cli/main.js';
import type { MachineFacts } from '../../../kernel/cli/setup-bridge.js';

const bare: MachineFacts = {
  adapter: { found: false, loadable: true, reason: 'no graphics driver answered' },
  python: null,
  pythonAdvice: 'No Python was found: install it.',
  jupyterlab: null,
  kernels: [],
  tslab: null,
  assayKernel: false,
  venv: null,
  system: { command: 'apt-get install -y mesa-vulkan-drivers', reasons: ['Mesa'], gaps: [], undo: [] },
};

describe('assay doctor', () => {
  it('says so when ASSAY_DATA names a file', () => {
    vi.stubEnv('ASSAY_DATA', fileURLToPath(import.meta.url));
    const { data, advice } = diagnose(bare, 1e9);
    vi.unstubAllEnvs();
    expect(data).toMatchObject({ exists: false, entries: [] });
    expect(advice.join(' ')).toMatch(/is not a folder that can be read/);
  });

  it('prints one JSON document with everything scripts rely on', async () => {
    let stdout = '';
    const code = await dispatch(['doctor', '--json'], new AbortController().signal, {
      stdout: (text) => (stdout += text),
      stderr: () => undefined,
    });
    expect(code).toBe(0);
    const report = JSON.parse(stdout) as Record<string, unknown>;
    for (const key of [
      'node',
      'adapter',
      'features',
      'limits',
      'wasm',
      'python',
      'jupyter',
      'data',
      'advice',
    ])
      expect(report).toHaveProperty(key);
  });

  it('has an advice for every gap of a bare machine', () => {
    const report = diagnose(bare, 1e9);
    const advice = report.advice.join('\n');
    expect(advice).toMatch(/No WebGPU adapter \(no graphics driver answered\)/);
    expect(advice).toMatch(/As administrator: apt-get install -y mesa-vulkan-drivers/);
    expect(advice).toMatch(/No Python was found/);
    expect(advice).toMatch(/The kernel is not built yet/);
    expect(advice).toMatch(/tslab is not installed yet/);
    expect(report.adapter).toBeNull();
    const possible = Object.fromEntries(report.runs.map((run) => [run.job, run.possible]));
    expect(possible['tests (npm test)']).toBe(true);
    expect(possible['notebooks in JupyterLab (npm start)']).toBe(false);
    expect(possible['GPU operators and their tests']).toBe(false);
  });

  it('reports both kernels, built and registered', () => {
    const there = { ...bare, assayKernel: true, tslab: '1.0.22', venv: 'v', kernels: ['assay', 'tslab'] };
    const report = diagnose(there, 1e9);
    expect(report.jupyter).toMatchObject({ assay: true, tslab: '1.0.22', kernels: ['assay', 'tslab'] });
    expect(report.advice.join(' ')).not.toMatch(/not registered/);
    const unregistered = diagnose({ ...there, kernels: ['tslab'] }, 1e9);
    expect(unregistered.advice.join(' ')).toMatch(/The kernel is not registered in \.venv/);
  });

  it('never promises full size on a software adapter', () => {
    const info = { vendor: 'mesa', architecture: 'software', device: 'llvmpipe', description: '' };
    const report = diagnose({ ...bare, adapter: { found: true, loadable: true, software: true, info } }, 1e9);
    const full = report.runs.find((run) => run.job.includes('full'));
    expect(full).toMatchObject({ possible: false });
    expect(full?.why).toMatch(/software/);
  });

  it('estimates more minutes for a slower CPU', () => {
    const minutes = (speed: number): number => diagnose(bare, speed).runs[0].minutes ?? NaN;
    expect(minutes(0.5e9)).toBeCloseTo(2 * minutes(1e9), 0);
  });

  it('finds WebAssembly SIMD and threads in every Node this project supports', () => {
    expect(wasmFeatures()).toEqual({ simd: true, threads: true });
    expect(measureSpeed(16)).toBeGreaterThan(0);
  });
});
