// y_i = sum_j softmax_j(scores) v_j with a running maximum and sum; one workgroup takes 64 queries of a head and walks
// over the keys in tiles of 32. An invocation owns 4 queries: 2 keys of each tile, then columns lane, lane + 16, ...
alias F = f32; // define: f32 | f16
const COLUMNS = 4u; // define: 4 | 8 | 16

struct Params {
  rows: u32, heads: u32, kv_heads: u32, tq: u32, k: u32, v: u32, left: i32, right: i32, block: u32, mask_at: u32,
  mask_batch: u32, mask_head: u32, mask_row: u32, alibi_at: u32, sink_at: u32, scale: f32, softcap: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [B, Tq, H, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [B, Tk, Hkv, K]
@group(0) @binding(3) var<storage, read> v: array<F>; // [B, Tk, Hkv, V]
@group(0) @binding(4) var<storage, read> plan: array<i32>; // [12 tiles + tables], see shared/attention
@group(0) @binding(5) var<storage, read_write> y: array<F>; // [B, Tq, H, V]
@group(0) @binding(6) var<storage, read_write> lse: array<f32>; // [B, H, Tq]

// include shared/attention.wgsl
// include shared/number.wgsl
var<workgroup> queries: array<vec4<f32>, 256>; // [16 of K][16 fours of queries], then maxima [lane][four]
var<workgroup> keys: array<f32, 528>; // [16 of K][33]
var<workgroup> chances: array<vec4<f32>, 512>; // [32 keys][16 fours of queries]

// Scores of the invocation's four queries and key j; LOWEST where hidden.
fn shape(t: Tile, h: u32, slope: f32, first: i32, key: i32, dots: vec4<f32>, whole: bool) -> vec4<f32> {
  let i = fourFrom(first);
  let x = scoresOf(dots, slope, distanceOf(t, i, vec4(key))).score;
  if (whole) { return x; }
  return select(vec4(LOWEST), x, sees(t, h, i, vec4(key)));
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let group = wg.x + wg.y * wgs.x;
  if (group >= params.rows) { return; }
  let h = group % params.heads;
  let t = tileAt(group / params.heads);
  let hk = h / (params.heads / params.kv_heads);
  let lane = local.x;
  let four = local.y;
  let size = min(64, t.tq - t.start);
  if (size <= 0) { return; }
  let i = t.start + i32(four) * 4;
  let slope = slopeOf(h);
  var acc: array<vec4<f32>, COLUMNS>;
  var highest = vec4(LOWEST);
  var total = vec4(0.0);
  if (params.sink_at > 0u) {
    highest = vec4(bitcast<f32>(plan[params.sink_at + h]));
    total = vec4(1.0);
  }
  let end = highOf(t, t.start + size - 1);
  for (var j0 = lowOf(t, t.start) / 32 * 32; j0 < end; j0 += 32) {
    let width = min(32, t.tk - j0);
    let seen = seenOf(t, h, t.start, size, j0, width);
    if (seen == 0u) { continue; }
    let whole = seen == 2u;
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    for (var e0 = 0u; e0 < params.k; e0 += 16u) {
      let e = min(e0 + lane, params.k - 1u);
      var some: vec4<f32>;
      for (var r = 0; r < 4; r++) {
        some[r] = f32(q[(u32(t.q0 + min(i + r, t.tq - 1)) * params.heads + h) * params.k + e]);
      }
      queries[lane * 16u + four] = some;
      let j = j0 + i32(four);
      keys[lane * 33u + four] = f32(k[(u32(t.k0 + min(j, t.tk - 1)) * params.kv_heads + hk) * params.k + e]);
      keys[lane * 33u + four + 16u] = f32(k[(u32(t.k0 + min(j + 16, t.tk - 1)) * params.kv_heads + hk) * params.k + e]);
      workgroupBarrier();
      for (var d = 0u; d < min(16u, params.k - e0); d++) {
        let a = queries[d * 16u + four];
        s0 += a * keys[d * 33u + lane];
        s1 += a * keys[d * 33u + lane + 16u];
      }
      workgroupBarrier();
    }
    // A tile that ends within its keys is never whole for the rest.
    let inside = whole && width == 32 && size == 64;
    s0 = shape(t, h, slope, i, j0 + i32(lane), s0, inside);
    s1 = shape(t, h, slope, i, j0 + i32(lane) + 16, s1, inside);
    queries[lane * 16u + four] = max(s0, s1);
    workgroupBarrier();
    var next = highest;
    for (var l = 0u; l < min(16u, u32(width)); l++) { next = max(next, queries[l * 16u + four]); }
    let shrink = exp(highest - next);
    // Hidden pairs are marked by -1.
    chances[lane * 16u + four] = select(exp(s0 - next), vec4(-1.0), s0 == vec4(LOWEST));
    chances[(lane + 16u) * 16u + four] = select(exp(s1 - next), vec4(-1.0), s1 == vec4(LOWEST));
    highest = next;
    total *= shrink;
    for (var c = 0u; c < COLUMNS; c++) { acc[c] *= shrink; }
    workgroupBarrier();
    for (var j = 0u; j < u32(width); j++) {
      let p = chances[j * 16u + four];
      let at = (u32(t.k0 + j0) + j) * params.kv_heads * params.v + hk * params.v;
      if (whole) {
        total += p;
        for (var c = 0u; c < COLUMNS; c++) { acc[c] += p * f32(v[at + min(lane + c * 16u, params.v - 1u)]); }
        continue;
      }
      // Left out, not weighted by 0: NaN of a key that is not seen stays out.
      let hidden = p < vec4(0.0);
      total = select(total + p, total, hidden);
      for (var c = 0u; c < COLUMNS; c++) {
        acc[c] = select(acc[c] + p * f32(v[at + min(lane + c * 16u, params.v - 1u)]), acc[c], hidden);
      }
    }
    workgroupBarrier();
  }
  // The bound is no constant on purpose: unrolling costs software drivers seconds.
  for (var r = 0; r < min(4, t.tq - i); r++) {
    // A query that sees no key gives zeros.
    let any = total[r] > 0.0 || !isNumber(total[r]);
    let inverse = select(0.0, 1.0 / total[r], any);
    let row = u32(t.q0 + i + r) * params.heads + h;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = lane + c * 16u;
      if (column < params.v) { y[row * params.v + column] = F(acc[c][r] * inverse); }
    }
    if (lane == 0u) {
      let at = (u32(t.batch) * params.heads + h) * params.tq + u32(t.q_base + i + r);
      lse[at] = select(LOWEST, highest[r] + log(total[r]), any);
    }
  }
}
