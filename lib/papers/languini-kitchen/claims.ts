/** The claims of the Languini Kitchen, none of which can be tested here, with the reasons. */
import { claimsOf } from '../claim-entries.js';

export const claims = claimsOf('languini-kitchen', '2309.11197v1', {}, [
  {
    name: 'crossing',
    place: 'Abstract',
    words: 'The extrapolated curves of GPT and the quasi-LSTM cross near 50,000 accelerator hours.',
    kind: 'reanalysis',
    headline: true,
    stated: {
      text: 'Extrapolating the scaling laws of both models results in an intersection at roughly 50,000 accelerator hours.',
      conditions: 'compute classes of 6 to 96 hours of an RTX 3090, perplexity on Languini Books',
    },
    scope: 'S4',
    notTestable:
      'Only the width of the interval of that crossing could be asked for, and the losses behind the curves are not at hand as a table; curves of small models trained here would cross elsewhere, or not at all, and say nothing about this one',
  },
  {
    name: 'throughput',
    place: 'Abstract',
    words: 'A quasi-LSTM processes ten times as many tokens a second as an LSTM.',
    kind: 'timing',
    stated: {
      text: 'A recurrent model in the form of a novel LSTM with ten-fold throughput.',
      conditions: 'one GPU',
    },
    scope: 'S4',
    notTestable: 'Neither the quasi-LSTM nor an LSTM is part of this project',
  },
]);
