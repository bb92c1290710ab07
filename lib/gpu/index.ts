/** The backend `webgpu`. Importing this registers it; the device is opened by `useBackend('webgpu')` or openGpu(). */
export {
  bufferOf,
  closeGpu,
  createContext,
  currentGpu,
  encodeInto,
  gpuContext,
  openGpu,
  OPTIONAL_FEATURES,
  REQUIRED_LIMITS,
  tensorFromBuffer,
} from './device.js';
export type { OpenOptions } from './device.js';
export { isSoftware } from './command.js';
export { GpuContext } from './context.js';
export { kernelNames, kernelSource, kernelText, kernelVariants } from './source.js';
export type { Defines, KernelVariant, Overrides } from './source.js';
