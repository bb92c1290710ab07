import { describe, expect, it } from 'vitest';
import { clock, ProgressPrinter } from '../../../kernel/reproduce/progress.js';
import { parseTime } from '../../../kernel/cli/reproduce.js';
import { adapterSlug, deviceCard } from '../../../kernel/reproduce/device.js';

const task = (id: string) => ({ id, inputs: {} });

describe('ProgressPrinter', () => {
  it('prints the estimate, then at most one line every two seconds, with loss, speed and time left', () => {
    const lines: string[] = [];
    let now = 0;
    const printer = new ProgressPrinter(
      (line) => lines.push(line),
      2,
      () => now,
    );
    const parts = [
      { part: 'training', about: 'five seeds', seconds: 90 },
      { part: 'later', about: 'more', seconds: 30 },
    ];
    printer.event({ kind: 'estimate', estimate: { parts, seconds: 120 } });
    expect(lines).toEqual([
      'Estimate: 2:00 (minutes:seconds, 2 trainings at a time)',
      '  training    1:30  five seeds',
      '  later       0:30  more',
    ]);
    printer.event({ kind: 'part', part: 'training', tasks: 2 });
    for (let step = 1; step <= 50; step++) {
      now += 100;
      const progress = { step, steps: 600, loss: 2.5, tokensPerSecond: 9876, secondsLeft: 65 };
      printer.event({ kind: 'progress', part: 'training', task: task('mamba-rate0.004-seed3'), progress });
    }
    expect(lines.slice(3)).toHaveLength(3);
    expect(lines[4]).toBe(
      'training 0/2: mamba, rate 0.004, seed 3 21/600 · loss 2.500 · 9.9k tokens/s · 1:05 left · about 1:58 in all left',
    );
    const result = { reporting: 2.41234 };
    printer.event({
      kind: 'done',
      part: 'training',
      task: task('mamba-seed3'),
      result,
      seconds: 61,
      resumed: false,
    });
    expect(lines.at(-1)).toBe('training 1/2: mamba, seed 3 2.4123 bits per byte, 1:01');
  });
});

describe('times', () => {
  it('are written as clocks and read from words', () => {
    expect([0, 65, 3725].map(clock)).toEqual(['0:00', '1:05', '1:02:05']);
    expect(['90s', '20m', '2h', '1.5'].map((text) => parseTime('--budget', text))).toEqual([
      90, 1200, 7200, 90,
    ]);
    expect(() => parseTime('--budget', 'soon')).toThrow(
      /--budget must be a time such as 90s, 20m or 2h, got "soon"/,
    );
    expect(() => parseTime('--budget', '0m')).toThrow(/must be a time/);
  });
});

describe('deviceCard', () => {
  it('names the machine without its host or user', () => {
    const card = deviceCard();
    expect(card.slug).toMatch(/^[a-z0-9]+-[a-z0-9]+-\d+c$/);
    expect(Object.keys(card).sort()).toEqual([
      'arch',
      'cores',
      'cpu',
      'memoryGiB',
      'platform',
      'runtime',
      'slug',
    ]);
    expect(adapterSlug('NVIDIA H200 (Vulkan)')).toBe('nvidia-h200-vulkan');
    expect(deviceCard('***').slug).toBe('gpu');
  });
});
