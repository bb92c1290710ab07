import { afterEach, describe, expect, it } from 'vitest';
import { stopSignal } from '../../lib/core/ambient-signal.js';

const AMBIENT = Symbol.for('assay.signal');
const host = globalThis as { [AMBIENT]?: () => AbortSignal | undefined };

describe('stopSignal', () => {
  afterEach(() => {
    delete host[AMBIENT];
  });

  it('is what was given where the surroundings offer nothing', () => {
    const { signal } = new AbortController();
    expect(stopSignal()).toBeUndefined();
    expect(stopSignal(signal)).toBe(signal);
    host[AMBIENT] = () => undefined;
    expect(stopSignal(signal)).toBe(signal);
  });

  it('is the signal of the surroundings where none was given', () => {
    const { signal } = new AbortController();
    host[AMBIENT] = () => signal;
    expect(stopSignal()).toBe(signal);
    expect(stopSignal(signal)).toBe(signal);
  });

  it('aborts when either of the two does', () => {
    for (const which of ['given', 'ambient'] as const) {
      const controllers = { given: new AbortController(), ambient: new AbortController() };
      host[AMBIENT] = () => controllers.ambient.signal;
      const both = stopSignal(controllers.given.signal);
      expect(both?.aborted).toBe(false);
      controllers[which].abort(new Error(which));
      expect(both?.aborted).toBe(true);
    }
  });
});
