/** The long tests: run before a release (`npm run test:soak`), outcome written into docs/jupyter-kernel.md. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'test/soak/**/*.soak.ts',
      'test/kernel/interrupt/**/*.test.ts',
      'test/kernel/server/fuzz.test.ts',
      'test/kernel/run/server.test.ts',
    ],
    // The tests above read these: 200 interrupts in a row instead of 20, 10,000 broken messages instead of 500.
    env: { ASSAY_SOAK: '1', ASSAY_FUZZ: process.env.ASSAY_FUZZ ?? '10000' },
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 1_200_000,
    hookTimeout: 120_000,
    watch: false,
  },
});
