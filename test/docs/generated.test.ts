/** Generated pages are those that the records and the recorded runs give now: else `node kernel/docs/write.mjs`. */
import { describe, expect, it } from 'vitest';
import { PICTURE_FILE, pictureOf, withPicture } from '../../kernel/docs/picture.js';
import { operatorsPage } from '../../kernel/docs/reference.js';
import { operators, readRuns } from '../../lib/index.js';
import { read, root } from '../structure/support.js';

describe('docs/reference/operators.md', () => {
  it('is what the records give', () => {
    expect(read('docs/reference/operators.md')).toBe(operatorsPage());
  });

  it('has a section and a link for every operator', () => {
    const page = operatorsPage();
    for (const { record } of operators()) {
      expect(page).toContain(`\n## \`${record.id}\`\n`);
      expect(page).toContain(`(#${record.id.replace('/', '')})`);
    }
  });
});

describe('the picture of README.md', () => {
  it('is drawn from the newest recorded run that counts, with its verdict', async () => {
    const picture = pictureOf(await readRuns(`${root}notebooks/results/mamba`));
    const page = read('README.md');
    expect(page).toContain(`](${PICTURE_FILE})`);
    expect(read(PICTURE_FILE)).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    if (!picture) return;
    expect(page).toBe(withPicture(page, picture));
    expect(read(PICTURE_FILE)).toBe(picture.svg);
  });

  it('needs its two marks', () => {
    expect(() => withPicture('# no marks', { svg: '', caption: '' })).toThrow(/page must hold/);
  });
});
