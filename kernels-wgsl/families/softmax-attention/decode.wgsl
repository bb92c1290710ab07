// One query a sequence against a part of its keys (256): largest score, sum of exponentials, weighted sum of values.
// One workgroup takes a part of a head; merge.wgsl makes outputs of the parts.
alias F = f32; // define: f32 | f16
const COLUMNS = 4u; // define: 4 | 8 | 16

struct Params {
  rows: u32, heads: u32, kv_heads: u32, parts: u32, k: u32, v: u32, left: i32, right: i32, block: u32, mask_at: u32,
  mask_batch: u32, mask_head: u32, mask_row: u32, alibi_at: u32, sink_at: u32, scale: f32, softcap: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [B, 1, H, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [B, Tk, Hkv, K]
@group(0) @binding(3) var<storage, read> v: array<F>; // [B, Tk, Hkv, V]
@group(0) @binding(4) var<storage, read> plan: array<i32>; // [12 tiles + tables], see shared/attention
@group(0) @binding(5) var<storage, read_write> state: array<f32>; // [sequences, H, parts, 2 + V]

// include shared/attention.wgsl
const PART = 256;
var<workgroup> query: array<f32, 256>;
var<workgroup> sums: array<vec4<f32>, 272>; // [lane][17]
var<workgroup> chances: array<f32, 256>; // -1 where hidden

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let group = wg.x + wg.y * wgs.x;
  if (group >= params.rows) { return; }
  let part = i32(group % params.parts);
  let h = (group / params.parts) % params.heads;
  let t = tileAt(group / params.parts / params.heads);
  if (t.tq == 0) { return; }
  let hk = h / (params.heads / params.kv_heads);
  let lane = local.x;
  let four = local.y;
  let own = four * 16u + lane;
  let at_state = group * (params.v + 2u);
  let low = max(lowOf(t, 0), part * PART);
  let high = min(highOf(t, 0), part * PART + PART);
  let count = u32(max(high - low, 0));
  if (own < params.k) { query[own] = f32(q[(u32(t.q0) * params.heads + h) * params.k + own]); }
  workgroupBarrier();
  // 64 keys at a time: 16 lanes share the dot products of four keys.
  for (var n0 = 0u; n0 < count; n0 += 64u) {
    var dots = vec4(0.0);
    for (var e = lane; e < params.k; e += 16u) {
      for (var r = 0u; r < 4u; r++) {
        let j = u32(t.k0 + low) + min(n0 + four * 4u + r, count - 1u);
        dots[r] += query[e] * f32(k[(j * params.kv_heads + hk) * params.k + e]);
      }
    }
    sums[lane * 17u + four] = dots;
    workgroupBarrier();
    if (lane == 0u) {
      var sum = vec4(0.0);
      // No constant bound: unrolling costs software drivers seconds.
      for (var l = 0u; l < min(16u, params.k + 15u); l++) { sum += sums[l * 17u + four]; }
      let n = n0 + four * 4u;
      let j = fourFrom(low + i32(n));
      let score = scoresOf(sum, slopeOf(h), distanceOf(t, vec4(0), j)).score;
      let seen = sees(t, h, vec4(0), j) & (j < vec4(high));
      let shaped = select(vec4(LOWEST), score, seen);
      chances[n] = shaped.x;
      chances[n + 1u] = shaped.y;
      chances[n + 2u] = shaped.z;
      chances[n + 3u] = shaped.w;
    }
    workgroupBarrier();
  }
  var top = LOWEST;
  for (var n = 0u; n < count; n++) { top = max(top, chances[n]); }
  workgroupBarrier();
  if (own < count) { chances[own] = select(exp(chances[own] - top), -1.0, chances[own] == LOWEST); }
  workgroupBarrier();
  var acc: array<f32, COLUMNS>;
  var total = 0.0;
  for (var n = four; n < count; n += 16u) {
    let p = chances[n];
    if (p < 0.0) { continue; }
    total += p;
    let at = (u32(t.k0 + low) + n) * params.kv_heads * params.v + hk * params.v;
    for (var c = 0u; c < COLUMNS; c++) { acc[c] += p * f32(v[at + min(lane + c * 16u, params.v - 1u)]); }
  }
  // Sums over the 16 invocations of a lane: four columns at a time, then the total.
  for (var c0 = 0u; c0 < params.v; c0 += 64u) {
    var some: vec4<f32>;
    for (var r = 0u; r < 4u; r++) { some[r] = acc[min(c0 / 16u + r, COLUMNS - 1u)]; }
    sums[lane * 17u + four] = some;
    workgroupBarrier();
    if (four < 4u) {
      var sum = 0.0;
      for (var f = 0u; f < 16u; f++) { sum += sums[lane * 17u + f][four]; }
      let column = c0 + four * 16u + lane;
      if (column < params.v) { state[at_state + 2u + column] = sum; }
    }
    workgroupBarrier();
  }
  sums[lane * 17u + four].x = total;
  workgroupBarrier();
  if (own == 0u) {
    var sum = 0.0;
    for (var f = 0u; f < 16u; f++) { sum += sums[f].x; }
    state[at_state] = top;
    state[at_state + 1u] = sum;
  }
}
