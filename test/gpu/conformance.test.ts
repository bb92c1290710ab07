/** Tier adapter: every record with a WGSL form equals the f64 reference on all its cases, with poisoned buffers. */
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu, operators } from '../../lib/index.js';
import { casesOf } from '../../lib/tensor/cases.js';
import { conform } from '../../lib/tensor/conformance.js';
import type { Form } from '../../lib/tensor/backend.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

describe.skipIf(!context)(
  `every form on webgpu equals the f64 reference, forward and backward ${reason}`,
  { timeout: COLD },
  () => {
    for (const op of operators())
      for (const form of (Object.keys(op.record.forms) as Form[]).filter((f) => op.record.forms[f]?.webgpu))
        for (const c of casesOf(op.record, form).filter((k) => k.gpu !== false))
          it(`${op.record.id} ${form} ${c.name}`, async () => {
            const failed = (await conform(op, c, form, 'webgpu')).filter((r) => !r.ok);
            expect(failed.map((r) => r.text)).toEqual([]);
          });
  },
);
