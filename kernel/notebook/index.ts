/** What a notebook can do beyond printing: `import { display, progress, interact } from 'assay/notebook'`. */
export { clearOutput, display, Display, newDisplay, type DisplayFunction } from './display.js';
export { cell, currentCell, input, openComm, prompt, registerTarget } from './session.js';
export type { CellHandle, Comm } from './session.js';
export { interact, type Interaction, type InteractContext, type InteractOptions } from './interact.js';
export type { Control, Controls, ControlValue, Values } from './controls.js';
export { record } from './record.js';
export { live, liveChart, type LiveChart, type LiveChartOptions, type LiveFigure } from './live.js';
export {
  progress,
  type AsyncProgressLoop,
  type Progress,
  type ProgressLoop,
  type ProgressOptions,
} from './progress.js';
export * from '../widgets/index.js';
