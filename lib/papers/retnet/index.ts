/** Sun et al. 2023: RetNet, a retentive network. */
import { withExponent } from '../exponents.js';
import type { Experiment, Paper } from '../paper.js';
import { reanalysis } from '../reanalysis.js';
import { timedPart, timesOf } from '../timed-part.js';
import { claims } from './claims.js';
import { BATCH, measureDeployment } from './deployment.js';
import { measureForms, measureNormalisation, measureOperations } from './forms.js';
import { measureState } from './state.js';
import { parallel, pass, step } from './times.js';

const counts = reanalysis({
  id: 'counts',
  about: 'three representations of one function, their operations, and what is kept',
  claims: ['retnet/representations', 'retnet/score-normalisation', 'retnet/operations', 'retnet/state-bytes'],
  seconds: 4,
  analyse: async () => ({
    measurements: {
      'retnet/representations': await measureForms(),
      'retnet/score-normalisation': await measureNormalisation(),
      'retnet/operations': withExponent(measureOperations()),
      'retnet/state-bytes': measureState(),
    },
  }),
});

const deployment = reanalysis({
  id: 'deployment',
  about: 'memory and throughput of a 6.7B model on an A100 by the roofline',
  claims: ['retnet/memory-saved', 'retnet/throughput'],
  seconds: 0.1,
  analyse: async () => {
    const made = measureDeployment();
    const of = (name: string) => made.filter(({ arm }) => arm.startsWith(name));
    return {
      config: { batch: BATCH },
      measurements: {
        'retnet/memory-saved': of('memory saved'),
        'retnet/throughput': of('throughput ratio'),
      },
    };
  },
});

const timing: Experiment = {
  id: 'timing',
  about: 'a pass and a step of retention beside attention',
  claims: ['retnet/time-of-a-pass', 'retnet/time-of-a-step'],
  parts: (setup) => [pass, parallel, step].map((part) => timedPart(part, setup)),
  collect: (results) => ({
    config: {},
    measurements: {
      'retnet/time-of-a-pass': [...timesOf(results, 'pass'), ...timesOf(results, 'parallel')],
      'retnet/time-of-a-step': timesOf(results, 'step'),
    },
    curves: [],
  }),
};

/** The paper. */
export const retnet: Paper = {
  id: 'retnet',
  title: 'Retentive Network: A Successor to Transformer for Large Language Models',
  year: 2023,
  arxiv: '2307.08621v4',
  authors: 'Yutao Sun, Li Dong, Shaohan Huang et al.',
  family: 'retention',
  claims,
  experiments: [counts, deployment, timing],
};
