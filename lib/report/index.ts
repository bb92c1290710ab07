/** Figures, tables and pages made from runs. */
export { checkFigure, toPlotly, type Axis, type Figure, type PlotlyFigure, type Series } from './figure.js';
export { claimFigure, claimFigures, curveFigures, figures, figuresOfRuns } from './figures.js';
export { reportPage, type PageOptions, type PaperSection } from './page.js';
export { fitFigure, type FitFigureOptions } from './fit-figure.js';
export { heatMapSvg, type HeatMap } from './heat-map.js';
export { toSvg } from './svg.js';
export {
  baselineText,
  deviceText,
  estimateText,
  textTable,
  totalsText,
  verdictRows,
  verdictText,
  type VerdictRow,
} from './tables.js';
