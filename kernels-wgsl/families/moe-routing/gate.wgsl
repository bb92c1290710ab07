// Scores p = softmax(l) or sigmoid(l), the k best experts of each token by l (by p + bias where BIASED), largest first,
// the lower index first among equals, and their weights. Tokens with mask 0 get expert -1 and zeros. NaN counts as the
// largest logit and goes into the weights of its token.
alias M = f32; // define: f32 | i32
override BIASED: u32 = 0u;
override MASKED: u32 = 0u;

struct Params { tokens: u32, n: u32, k: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // [T, E]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // [E]
@group(0) @binding(3) var<storage, read> mask: array<M>; // [T]
@group(0) @binding(4) var<storage, read_write> weights: array<f32>; // [T, k]
@group(0) @binding(5) var<storage, read_write> experts: array<i32>; // [T, k]
@group(0) @binding(6) var<storage, read_write> probabilities: array<f32>; // [T, E]

// include shared/gate-lanes.wgsl
const NONE = 0xffffffffu;
var<workgroup> best: array<u32, 64>;
var<workgroup> place: array<u32, 64>;
var<workgroup> picked: array<u32, 512>; // at most 8 tokens of 64 choices

fn score(logit: f32, highest: f32, total: f32) -> f32 {
  if (SIGMOID == 1u) { return sigmoid(logit); }
  return exp(logit - highest) / total;
}

// The best of the lanes of a token: largest key, then lowest place.
fn laneBest(key: u32, at: u32, lane: u32) {
  workgroupBarrier();
  best[lane] = key;
  place[lane] = at;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane % LANES < half) {
      let o = lane + half;
      let better = best[o] > best[lane] || (best[o] == best[lane] && place[o] < place[lane]);
      if (place[o] != NONE && (place[lane] == NONE || better)) {
        best[lane] = best[o];
        place[lane] = place[o];
      }
    }
    workgroupBarrier();
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let own = (group.x + group.y * groups.x) * (64u / LANES) + lane / LANES;
  let exists = own < params.tokens;
  let token = min(own, params.tokens - 1u);
  let sub = lane % LANES;
  let base = token * params.n;
  var highest = LOWEST;
  for (var e = sub; e < params.n; e += LANES) { highest = larger(highest, logits[base + e]); }
  highest = laneMax(highest, lane);
  var total = 0.0;
  for (var e = sub; e < params.n; e += LANES) { total += exp(logits[base + e] - highest); }
  total = laneSum(total, lane);

  let chosen = lane / LANES * 64u;
  var last = 0u;
  var at = NONE;
  for (var round = 0u; round < params.k; round++) {
    var v = 0u;
    var p = NONE;
    for (var e = sub; e < params.n; e += LANES) {
      var key = logits[base + e];
      if (BIASED == 1u) { key = score(key, highest, total) + bias[e]; }
      let c = sortKey(key);
      let open = at == NONE || c < last || (c == last && e > at);
      if (open && (p == NONE || c > v)) {
        v = c;
        p = e;
      }
    }
    laneBest(v, p, lane);
    last = best[lane - sub];
    at = place[lane - sub];
    if (sub == 0u) { picked[chosen + round] = min(at, params.n - 1u); }
  }
  workgroupBarrier();

  var top = LOWEST;
  for (var j = sub; j < params.k; j += LANES) { top = larger(top, exponent(logits[base + picked[chosen + j]])); }
  top = laneMax(top, lane);
  var sum = 0.0;
  for (var j = sub; j < params.k; j += LANES) { sum += relative(logits[base + picked[chosen + j]], top); }
  sum = laneSum(sum, lane);

  if (!exists) { return; }
  var real = true;
  if (MASKED == 1u) { real = mask[token] != M(0); }
  for (var j = sub; j < params.k; j += LANES) {
    let e = picked[chosen + j];
    let l = logits[base + e];
    var w = score(l, highest, total);
    if (CHOSEN == 1u) { w = relative(l, top) / sum; }
    if (!isNumber(highest)) { w = highest; }
    weights[token * params.k + j] = select(0.0, params.scale * w, real);
    experts[token * params.k + j] = select(-1, i32(e), real);
  }
  for (var e = sub; e < params.n; e += LANES) {
    probabilities[base + e] = select(0.0, score(logits[base + e], highest, total), real);
  }
}
