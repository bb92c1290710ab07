import { it } from 'vitest';
import { fileURLToPath } from 'node:url';
import { writeFileSync } from 'node:fs';
import { verb } from '../../../kernel/cli/bench.js';
it('q', async () => {
  const out: string[] = [];
  const code = await verb.run((process.env.BARGS!).split('|'), {
    signal: new AbortController().signal,
    root: fileURLToPath(new URL('../../../', import.meta.url)),
    out: (t) => out.push(t), json: (d) => out.push(JSON.stringify(d)), progress: (t) => console.log(t),
  });
  writeFileSync('/tmp/moeb-bench.txt', code + '\n' + out.join('\n'));
}, 600000);
