/** RWKV language models. */
export {
  rwkvConfig,
  rwkvParameters,
  rwkvSizes,
  type RwkvConfig,
  type RwkvLayer,
  type RwkvParameters,
  type RwkvSizes,
} from './config.js';
export { loadRwkv, rwkvModel, type RwkvLayerState, type RwkvModel, type RwkvState } from './model.js';
