/** The picture on the first page: one claim, the newest run that counts for it, and the verdict under it. */
import {
  claimFigure,
  deviceText,
  judge,
  judgeProvisionally,
  paperOf,
  toSvg,
  type Claim,
  type Judgement,
  type Run,
} from '../../lib/index.js';

export const PICTURE_CLAIM = 'mamba/time-of-a-pass';
export const PICTURE_FILE = 'docs/images/time-of-a-pass.svg';
const [START, END] = ['<!-- picture: written by kernel/docs/write.mjs -->', '<!-- /picture -->'];

/** A figure as a file and the text below it. */
export interface Picture {
  svg: string;
  caption: string;
}

/** The picture of the newest run that counts; undefined when none does. `provisional` admits uncommitted code. */
export function pictureOf(runs: readonly Run[], provisional = false): Picture | undefined {
  const claim = claimOf(PICTURE_CLAIM);
  const judgement = (provisional ? judgeProvisionally : judge)(claim, runs);
  const newest = runs
    .filter((run) => judgement.counted.includes(run.id))
    .sort((a, b) => (a.started < b.started ? 1 : -1))[0];
  if (!newest) return undefined;
  const figure = claimFigure(claim, newest.measurements[claim.id] ?? []);
  if (!figure) return undefined;
  return {
    svg: onWhite(toSvg(figure, { width: 760, height: 400 })),
    caption: captionOf(claim, judgement, newest),
  };
}

function claimOf(id: string): Claim {
  const claim = paperOf(id.split('/')[0]).claims.find((entry) => entry.id === id);
  if (!claim) throw new Error(`picture: claim must exist, got ${id}`);
  return claim;
}

/** An image file knows no page colours, so it brings its own ground. */
function onWhite(svg: string): string {
  return svg
    .replace(
      'fill="currentColor">',
      'color="#333" fill="currentColor"><rect width="100%" height="100%" fill="#fff"/>',
    )
    .concat('\n');
}

function captionOf(claim: Claim, judgement: Judgement, run: Run): string {
  const word = `**${judgement.word}**`;
  const weight = `scope ${judgement.scope}, evidence ${judgement.evidence}, size ${run.size}, backend ${run.backend}`;
  return [
    `Claim [\`${claim.id}\`](lib/papers/${claim.paper}/claims.ts) (${claim.place}): ${claim.words}`,
    `Verdict: ${word} (${weight}). ${judgement.why}`,
    `Measured on ${deviceText(run.device)}, ${run.started.slice(0, 10)}. Bands: range of the rounds.`,
  ].join('\n\n');
}

/** The page with the block between the two marks replaced. @throws Error when the marks are missing */
export function withPicture(page: string, picture: Picture): string {
  const [from, to] = [page.indexOf(START), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`withPicture: page must hold "${START}" and "${END}"`);
  const block = `${START}\n\n![Time of a pass over the length of the text](${PICTURE_FILE})\n\n${picture.caption}\n\n`;
  return page.slice(0, from) + block + page.slice(to);
}
