/** The kernel in the real JupyterLab, in Chromium, by mouse and keyboard. */
import { copyFileSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { kernelMetadata } from '../../kernel/run/notebook.js';
import { root } from '../structure/support.js';
import { labMissing, NotebookPage, openBrowser, startLab, type Lab } from './jupyterlab.js';

const CELLS = {
  names: `
import * as assay from 'assay';
import { interact, progress } from 'assay/notebook';
const backend = await assay.openBackend('webgpu').then(() => 'webgpu' as const, () => 'wasm' as const);
const kept = { rounds: 0, calls: 0, ran: false };`,
  progress: `for (const i of progress(20, { label: 'counting' })) await new Promise((resolve) => setTimeout(resolve, 60));`,
  slider: `
interact(({ level }): assay.Figure => {
  const y = assay.withBackend(backend, () => assay.scope(() => assay.square(assay.full([4], level))));
  kept.calls++;
  y.dispose();
  return { id: 'f', title: \`level \${level}, call \${kept.calls}\`, caption: '', x: { label: 'x' }, y: { label: 'y' },
    series: [{ name: 'line', kind: 'line', x: [0, 1, 2], y: [0, level, level ** 2] }] };
}, { level: { min: 0, max: 100 } });`,
  wrong: `
kept.ran = true;
const size: number = 'eight';`,
  loop: `
for (;;) {
  const y = assay.withBackend(backend, () => assay.scope(() => assay.square(assay.full([64], 2))));
  await y.data();
  y.dispose();
  kept.rounds++;
}`,
  after: `console.log('rounds are kept:', kept.rounds > 0, 'never ran:', !kept.ran)`,
  words: `assay.`,
  shown: `assay.normal(new assay.Random('shown'), [8, 8], 1)`,
  debugged: `
function area(width: number, height: number): number {
  const product = width * height;
  return product;
}
area(6, 7)`,
};
const index = (name: keyof typeof CELLS): number => Object.keys(CELLS).indexOf(name);

function notebook(): string {
  const cells = Object.entries(CELLS).map(([id, source]) => ({
    cell_type: 'code',
    id,
    source: source.trim(),
    metadata: {},
    outputs: [],
    execution_count: null,
  }));
  return JSON.stringify({ cells, metadata: kernelMetadata('assay'), nbformat: 4, nbformat_minor: 5 });
}

describe.skipIf(labMissing !== undefined)(`the kernel in JupyterLab (${labMissing ?? 'in Chromium'})`, () => {
  let folder: string;
  let lab: Lab | undefined;
  let browser: Browser | undefined;
  let book: NotebookPage;

  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'lab-')));
    writeFileSync(join(folder, 'tour.ipynb'), notebook());
    copyFileSync(join(root, 'notebooks', 'start.ipynb'), join(folder, 'start.ipynb'));
    lab = await startLab(folder);
    browser = await openBrowser();
    book = await NotebookPage.open(lab, browser, 'tour.ipynb');
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await lab?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await book.picture(`failed-${task.name}`);
  });

  it('shows progress that moves and ends', async () => {
    await book.run(index('names'));
    await book.start(index('progress'));
    const bar = book.output(index('progress'));
    await bar.locator('progress:not([value="0"])').waitFor();
    await book.done(index('progress'));
    expect(await bar.innerText()).toMatch(/counting: 20 of 20/);
    await book.picture('progress', bar);
  });

  it('redraws a figure while a slider is dragged, at most 30 times, and shows the last value', async () => {
    await book.run(index('slider'));
    const out = book.output(index('slider'));
    await out.locator('.js-plotly-plot').waitFor();
    await book.drag(out.locator('.noUi-handle'), 260, 120);
    const shown = out.locator('.widget-readout');
    // The movable figure comes back when the slider rests.
    await out.locator('.js-plotly-plot', { hasText: `level ${await shown.innerText()},` }).waitFor();
    const calls = Number(/call (\d+)/.exec(await out.innerText())?.[1]);
    expect(calls).toBeGreaterThan(3);
    expect(calls).toBeLessThanOrEqual(30);
    await book.picture('slider', out);
  });

  it('shows a type error with the code around it and runs nothing', async () => {
    await book.run(index('wrong'));
    const said = await book.output(index('wrong')).innerText();
    expect(said).toMatch(/Type 'string' is not assignable to type 'number'/);
    expect(said).toMatch(/const size: number = 'eight'/);
    await book.picture('type-error', book.output(index('wrong')));
  });

  it('stops a GPU loop with the stop button, keeps the variables and runs the next cell', async () => {
    await book.start(index('loop'));
    await book.cell(index('loop')).locator('.jp-InputPrompt', { hasText: '[*]' }).waitFor();
    await book.page.waitForTimeout(1000);
    await book.page.click('[data-command="notebook:interrupt-kernel"]');
    await book.done(index('loop'));
    expect(await book.output(index('loop')).innerText()).toMatch(/interrupted/i);
    await book.run(index('after'));
    expect(await book.output(index('after')).innerText()).toContain('rounds are kept: true never ran: true');
    await book.picture('interrupted', book.output(index('loop')));
  });

  it('completes a name and tells about it', async () => {
    await book.edit(index('words'));
    await book.page.keyboard.type('softmaxAtt');
    await book.page.keyboard.press('Tab');
    // The only name that goes on like this is written out; with several a list opens.
    await book.page.locator('.jp-Completer-item').first().waitFor();
    await book.picture('completion');
    await book.page.keyboard.press('Enter');
    expect(await book.cell(index('words')).locator('.cm-content').innerText()).toBe('assay.softmaxAttention');
    await book.page.keyboard.press('Shift+Tab');
    const tip = book.page.locator('.jp-Tooltip', { hasText: 'Causal by default' });
    await tip.waitFor();
    expect(await tip.innerText()).toContain('softmaxAttention(q: ');
    await book.picture('inspection');
    await book.page.keyboard.press('Escape');
  });

  it('stops at a breakpoint, shows the variables and goes on', async () => {
    await book.page.click('.jp-DebuggerBugButton');
    const cell = book.cell(index('debugged'));
    // The first element of a gutter is a spacer.
    await cell.locator('.cm-breakpoint-gutter .cm-gutterElement').nth(3).click();
    await book.start(index('debugged'));
    const variables = book.page.locator('.jp-DebuggerVariables');
    await variables.getByText('product', { exact: false }).first().waitFor();
    expect(await variables.innerText()).toMatch(/width:?\s*6/);
    await book.picture('debugger');
    await book.page.click('[data-command="debugger:continue"]');
    await book.done(index('debugged'));
    expect(await book.output(index('debugged')).innerText()).toContain('42');
    await book.page.click('.jp-DebuggerBugButton');
  });

  it('shows a tensor as table and picture, and without pictures where the reopened page may not draw', async () => {
    await book.run(index('shown'));
    const out = book.output(index('shown'));
    expect(await out.locator('table').count()).toBe(2);
    expect(await out.locator('svg[role=img]').count()).toBe(2);
    await book.picture('tensor', out);
    await book.page.keyboard.press('Control+s');
    await book.page.locator('.jp-mod-current.jp-mod-dirty').waitFor({ state: 'detached' });
    // A changed copy has no signature, so the page trusts none of its outputs.
    const saved = readFileSync(join(folder, 'tour.ipynb'), 'utf8');
    writeFileSync(
      join(folder, 'foreign.ipynb'),
      saved.replace('"nbformat_minor"', '"x": 1, "nbformat_minor"'),
    );
    await book.goto('foreign.ipynb');
    expect(await out.locator('table').count()).toBe(2);
    expect(await out.locator('svg[role=img]').count()).toBe(0);
    expect(await out.innerText()).toContain('heat map of 8 by 8');
    await book.picture('untrusted', out);
  });

  it('runs the start notebook, and runs it again after a restart', { timeout: 240_000 }, async () => {
    await book.goto('start.ipynb');
    await book.menu('Run', 'Run All Cells');
    const last = (await book.page.locator('.jp-Notebook .jp-CodeCell').count()) - 1;
    const moved = book.page.locator('.jp-Notebook .jp-CodeCell').nth(last);
    await moved.locator('.js-plotly-plot').waitFor({ timeout: 110_000 });
    expect(await book.page.locator('.js-plotly-plot').count()).toBe(2);
    await book.picture('start', moved);
    await book.menu('Kernel', 'Restart Kernel and Run All Cells…');
    await book.page.click('.jp-Dialog .jp-mod-accept');
    await moved.locator('.js-plotly-plot').waitFor({ state: 'detached' });
    await moved.locator('.js-plotly-plot').waitFor({ timeout: 110_000 });
    expect(await moved.locator('.jp-InputPrompt').innerText()).toBe(`[${last + 1}]:`);
  });
});
