/** How measurements of the trained tasks and of generation are drawn; no part of any criterion. */
import type { ClaimPicture } from '../ledger/types.js';

const SHARE = 'share of right answers';

/** Chance of selective copying at size lesson: 1 of 6 kinds of data token. */
const COPYING_CHANCE = { name: 'chance (lesson)', value: 1 / 6 };
const INDUCTION_CHANCE = { name: 'chance', value: 1 / 15 };

export const SEQUENCE_PICTURES: { readonly [claim: string]: readonly ClaimPicture[] } = {
  'mamba/selective-copying': [
    {
      title: 'share of right answers, one point a seed',
      arms: ['s6', 'delta', 'b', 'c', 'lti', 's6-without-conv', 'lti-without-conv'],
      y: SHARE,
      levels: [COPYING_CHANCE],
    },
    {
      title: 'the controls',
      arms: ['s6-fixed', 'lti-fixed', 's6-shuffled', 'lti-shuffled'],
      y: SHARE,
      levels: [COPYING_CHANCE],
    },
  ],
  'mamba/gating-alone': [
    {
      title: 'the time-invariant layer with four times the steps',
      arms: ['s6', 'lti', 'lti-longer'],
      y: SHARE,
      levels: [COPYING_CHANCE],
    },
  ],
  'mamba/induction-heads': [
    {
      title: 'recall beyond the length of training',
      arms: ['s6', 'lti', 'attention-rope', 'attention-none'],
      x: 'length of the test in lengths of training',
      y: SHARE,
      levels: [INDUCTION_CHANCE],
    },
  ],
};

export const GENERATION_PICTURES: readonly ClaimPicture[] = [
  {
    title: 'tokens a second of Mamba over a cached transformer',
    arms: ['ratio-batch1', 'ratio-batch4', 'ratio-batch16'],
    x: 'tokens before the one generated',
    levels: [{ name: 'equal', value: 1 }],
  },
  {
    title: 'tokens a second at batch 16',
    arms: ['mamba-batch16', 'transformer-batch16'],
    x: 'tokens before the one generated',
    y: 'tokens a second',
  },
];
