// LANES invocations a token (a power of two, 8 to 64), 64 a workgroup: sums and maxima over the lanes of each token.
// include shared/number.wgsl
// include shared/gates.wgsl
override LANES: u32 = 64u;
override SIGMOID: u32 = 0u;
override CHOSEN: u32 = 0u;
const LOWEST = -3.0e38;
var<workgroup> tree: array<f32, 64>;

fn laneSum(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  tree[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane % LANES < half) { tree[lane] += tree[lane + half]; }
    workgroupBarrier();
  }
  return tree[lane - lane % LANES];
}

fn laneMax(value: f32, lane: u32) -> f32 {
  workgroupBarrier();
  tree[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane % LANES < half) { tree[lane] = larger(tree[lane], tree[lane + half]); }
    workgroupBarrier();
  }
  return tree[lane - lane % LANES];
}

// The exponent that a chosen logit has in the normalised weights.
fn exponent(logit: f32) -> f32 {
  return select(logit, min(logit, 0.0), SIGMOID == 1u);
}

// Its score up to a factor that all chosen ones share.
fn relative(logit: f32, highest: f32) -> f32 {
  let e = exp(exponent(logit) - highest);
  return select(e, e / (1.0 + exp(-abs(logit))), SIGMOID == 1u);
}
