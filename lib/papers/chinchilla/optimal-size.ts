/** The optimal size for a budget, from the paper's constants alone. */
import { computeOptimal, type ChinchillaConstants } from '../../families/scaling-laws/index.js';
import { reanalysis } from '../reanalysis.js';
import { publishedConstants } from './points.js';

/** FLOP of Gopher, for which the paper predicts. */
export const GOPHER_FLOP = 5.76e23;

/** Size at Gopher's budget by named constants. */
export function optimalSize(name: string): number {
  return computeOptimal(publishedConstants(name) as unknown as ChinchillaConstants, GOPHER_FLOP).n;
}

export const optimalSizeFromConstants = reanalysis({
  id: 'optimal-size',
  about: 'the optimum at 5.76e23 FLOP from the published constants',
  claims: ['chinchilla/optimal-size'],
  seconds: 0.1,
  analyse: () =>
    Promise.resolve({
      measurements: {
        'chinchilla/optimal-size': [
          { arm: 'size by the unrounded constants', value: optimalSize('tex') },
          { arm: 'size by the rounded constants', value: optimalSize('paper') },
        ],
      },
    }),
});
