// Gradient of the gate by logits. Softmax: dl = p (g - sum p g), sigmoid: dl = p (1 - p) g, with g = dp and, for plain
// weights, scale dw at the chosen; for normalised ones v (g - sum v g) over the chosen alone. Dropped tokens get zeros.
override WEIGHTS: u32 = 1u;
override PROBABILITIES: u32 = 1u;

struct Params { tokens: u32, n: u32, k: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // [T, E]
@group(0) @binding(2) var<storage, read> probabilities: array<f32>; // [T, E]
@group(0) @binding(3) var<storage, read> experts: array<i32>; // [T, k]
@group(0) @binding(4) var<storage, read> dweights: array<f32>; // [T, k]
@group(0) @binding(5) var<storage, read> dprobabilities: array<f32>; // [T, E]
@group(0) @binding(6) var<storage, read_write> dlogits: array<f32>; // [T, E]

// include shared/gate-lanes.wgsl
fn upstream(choice: u32) -> f32 {
  if (WEIGHTS == 0u) { return 0.0; }
  return params.scale * dweights[choice];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let own = (group.x + group.y * groups.x) * (64u / LANES) + lane / LANES;
  let token = min(own, params.tokens - 1u);
  let real = own < params.tokens && experts[token * params.k] >= 0;
  let sub = lane % LANES;
  let base = token * params.n;
  let first = token * params.k;
  // Over all experts: sum p dp, and for plain weights p scale dw at the chosen.
  var inner = 0.0;
  if (PROBABILITIES == 1u) {
    for (var e = sub; e < params.n; e += LANES) { inner += probabilities[base + e] * dprobabilities[base + e]; }
  }
  var top = LOWEST;
  for (var j = sub; j < params.k; j += LANES) {
    let e = base + u32(max(experts[first + j], 0));
    if (CHOSEN == 0u) { inner += probabilities[e] * upstream(first + j); }
    top = larger(top, exponent(logits[e]));
  }
  inner = laneSum(inner, lane);
  top = laneMax(top, lane);
  // Over the chosen: sum v and sum v scale dw.
  var sum = 0.0;
  var product = 0.0;
  for (var j = sub; j < params.k; j += LANES) {
    let u = relative(logits[base + u32(max(experts[first + j], 0))], top);
    sum += u;
    product += u * upstream(first + j);
  }
  sum = laneSum(sum, lane);
  product = laneSum(product, lane) / sum;

  if (own < params.tokens) {
    for (var e = sub; e < params.n; e += LANES) {
      let p = probabilities[base + e];
      var g = 0.0;
      if (PROBABILITIES == 1u) { g = dprobabilities[base + e]; }
      let dl = select(p * (g - inner), p * sigmoid(-logits[base + e]) * g, SIGMOID == 1u);
      dlogits[base + e] = select(0.0, dl, real);
    }
  }
  storageBarrier();
  if (!real) { return; }
  for (var j = sub; j < params.k; j += LANES) {
    let e = base + u32(experts[first + j]);
    let l = logits[e];
    var g = probabilities[e] * upstream(first + j);
    if (CHOSEN == 1u) { g = relative(l, top) / sum * (upstream(first + j) - product); }
    dlogits[e] += select(g, g * sigmoid(-l), SIGMOID == 1u);
  }
}
