/** Approach 3 on the points read off the paper's figure. */
import type { Reanalysed } from '../reanalysis.js';
import { fitSummary, interval, reanalysis } from '../reanalysis.js';
import type { Setup } from '../paper.js';
import {
  CONTROL_RESAMPLES,
  exponentA,
  fitPoints,
  keptPoints,
  misfit,
  plantedRuns,
  POINTS,
  publishedConstants,
  quantityInterval,
  randomHalf,
  widthOfA,
  withExponentA,
} from './points.js';

/** Kaplan et al. 2020: N ~ C^0.73. */
const KAPLAN_EXPONENT = 0.73;

async function analyse(setup: Setup): Promise<Reanalysed> {
  const runs = keptPoints(setup);
  const fit = await fitPoints(runs);
  const few = { bootstrap: CONTROL_RESAMPLES };
  const steep = await fitPoints(plantedRuns(fit, withExponentA(fit, KAPLAN_EXPONENT)), few);
  const quiet = await fitPoints(plantedRuns(fit, fit.raw, 0.01), few);
  const half = await fitPoints(randomHalf(runs, 1), { bootstrap: 0 });
  const a = quantityInterval(fit, exponentA, 0.95);
  const planted = quantityInterval(steep, exponentA, 0.95);
  const objective = { arm: 'objective', value: fit.objective };
  return {
    measurements: {
      'chinchilla/equal-scaling': [
        ...interval('exponent a', a.estimate, a.low, a.high),
        ...interval('planted exponent a', planted.estimate, planted.low, planted.high),
        objective,
      ],
      'chinchilla/interval-of-a': [
        { arm: 'width of a', value: widthOfA(fit) },
        { arm: 'width of a with a hundredth of the noise', value: widthOfA(quiet) },
        objective,
      ],
      'chinchilla/published-parameters': [
        { arm: 'misfit of the published parameters', value: misfit(fit, publishedConstants('tex')) },
        { arm: 'misfit of parameters from half of the runs', value: misfit(fit, half.raw) },
        objective,
      ],
    },
    config: { fit: fitSummary(fit) },
  };
}

export const parametricFit = reanalysis({
  id: 'parametric-fit',
  about: 'approach 3 on 240 points read off a figure of the paper',
  claims: ['chinchilla/equal-scaling', 'chinchilla/interval-of-a', 'chinchilla/published-parameters'],
  datasets: [POINTS],
  seconds: 6,
  analyse,
});
