/** Operations and memory of a language model whose layers, some or all, take only a part of the vision tokens. */

/** A decoder with gated feed-forward parts and grouped queries. */
export interface DecoderShape {
  layers: number;
  width: number;
  inner: number;
  /** Width of keys and of values. */
  keyValue: number;
  vocabulary: number;
  /** Bytes of one value of weights and activations. */
  bytes: number;
}

/** Llama 3 8B, the language model of VideoLLM-online and of this paper. */
export const LLAMA_8B: DecoderShape = {
  layers: 32,
  width: 4096,
  inner: 14336,
  keyValue: 1024,
  vocabulary: 128256,
  bytes: 2,
};

/** Which tokens a layer takes. */
export interface Skipping {
  /** Share of vision tokens in the sequence. */
  vision: number;
  /** Share of vision tokens that a sparse layer keeps. */
  kept: number;
  /** One layer in so many is sparse: 1 all, 2 every second; Infinity none. */
  every: number;
}

/** Operations of one layer over n tokens, forward: projections and feed-forward are linear in n, attention is square. */
export function layerFlops(shape: DecoderShape, n: number): { linear: number; attention: number } {
  const { width, inner, keyValue } = shape;
  return {
    linear: 2 * n * (2 * width * width + 2 * width * keyValue + 3 * width * inner),
    // Causal: scores and sums over n (n + 1) / 2 pairs.
    attention: 4 * width * ((n * (n + 1)) / 2),
  };
}

const sparseLayers = ({ layers }: DecoderShape, { every }: Skipping): number => Math.floor(layers / every);

/** Tokens that a sparse layer takes: all text, a part of the vision tokens. */
export const keptTokens = (n: number, { vision, kept }: Skipping): number =>
  n * (1 - vision) + n * vision * kept;

/** Share of a training step's operations saved. Backward passes cost a multiple of forward ones, which cancels. */
export function savedFlops(shape: DecoderShape, n: number, skipping: Skipping): number {
  const total = (tokens: number) => {
    const { linear, attention } = layerFlops(shape, tokens);
    return linear + attention;
  };
  const sparse = sparseLayers(shape, skipping);
  // One score for every vision token.
  const router = sparse > 0 ? 2 * n * skipping.vision * shape.width : 0;
  const head = 2 * n * shape.width * shape.vocabulary;
  const full = shape.layers * total(n) + head;
  const less = (shape.layers - sparse) * total(n) + sparse * (total(keptTokens(n, skipping)) + router) + head;
  return 1 - less / full;
}

/**
 * Bytes that one layer keeps of one token for its backward pass, with an attention that keeps no scores: the inputs of two
 * norms, both normed, queries and the attention's output (6 of the width), keys and values, and four of the inner width
 * (gate, up, the activated gate, their product).
 */
export const keptPerToken = ({ width, keyValue, inner, bytes }: DecoderShape): number =>
  bytes * (6 * width + 2 * keyValue + 4 * inner);

/** Parameters of embedding, layers and head. */
export const parametersOf = ({ layers, width, inner, keyValue, vocabulary }: DecoderShape): number =>
  layers * (2 * width * width + 2 * width * keyValue + 3 * width * inner) + 2 * width * vocabulary;

/** Bytes of a training step with frozen weights (adapters are small): weights, activations, logits with their gradient. */
export function trainingBytes(shape: DecoderShape, n: number, skipping: Skipping): number {
  const sparse = sparseLayers(shape, skipping);
  const tokens = (shape.layers - sparse) * n + sparse * keptTokens(n, skipping);
  // The residual stream of a sparse layer is the one before it: tokens that skip keep nothing of their own.
  const logits = n * shape.vocabulary * (shape.bytes + 4);
  return shape.bytes * parametersOf(shape) + tokens * keptPerToken(shape) + logits;
}

/** Tokens of a step that fill a device when every layer takes all tokens. */
export function tokensThatFit(shape: DecoderShape, capacity: number): number {
  const none = { vision: 1, kept: 1, every: Infinity };
  const fixed = trainingBytes(shape, 0, none);
  return Math.floor((capacity - fixed) / (trainingBytes(shape, 1, none) - fixed));
}

/** Share of the memory saved. */
export function savedBytes(shape: DecoderShape, n: number, skipping: Skipping): number {
  const none = { ...skipping, every: Infinity };
  return 1 - trainingBytes(shape, n, skipping) / trainingBytes(shape, n, none);
}
