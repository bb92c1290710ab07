/** Costs: operations, bytes moved, bytes kept, and the roofline. */
export { bytesKept, countCost, liveBytes, operatorCost, type Cost, type OperatorCost } from './count.js';
export { roofline, type Machine, type RooflinePoint } from './roofline.js';
