// dq_i = scale sum_j ds_ij k_j with ds = p (dy . v - delta) and p made again from lse; tiles as in forward.wgsl. With
// slopes also the sum of ds |distance| of each row.
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
@group(0) @binding(4) var<storage, read> dy: array<F>; // [B, Tq, H, V]
@group(0) @binding(5) var<storage, read> stats: array<vec2<f32>>; // [B, H, Tq]: lse, delta
@group(0) @binding(6) var<storage, read> plan: array<i32>; // [12 tiles + tables], see shared/attention
@group(0) @binding(7) var<storage, read_write> dq: array<F>; // [B, Tq, H, K]
@group(0) @binding(8) var<storage, read_write> far: array<f32>; // [B, H, Tq]

// include shared/attention.wgsl
var<workgroup> queries: array<vec4<f32>, 256>; // [16 of K or V][16 fours of queries]
var<workgroup> keys: array<f32, 528>; // [16 of K or V][33]
var<workgroup> slopes: array<vec4<f32>, 512>; // [32 keys][16 fours of queries]

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
  let row = (u32(t.batch) * params.heads + h) * params.tq + u32(t.q_base);
  var top: vec4<f32>;
  var delta: vec4<f32>;
  for (var r = 0; r < 4; r++) {
    let stat = stats[row + u32(min(i + r, t.tq - 1))];
    top[r] = stat.x;
    delta[r] = stat.y;
  }
  var acc: array<vec4<f32>, COLUMNS>;
  var distant = vec4(0.0);
  let end = highOf(t, t.start + size - 1);
  for (var j0 = lowOf(t, t.start) / 32 * 32; j0 < end; j0 += 32) {
    let width = min(32, t.tk - j0);
    let seen = seenOf(t, h, t.start, size, j0, width);
    if (seen == 0u) { continue; }
    var s = array<vec4<f32>, 2>();
    var dp = array<vec4<f32>, 2>();
    let first = u32(t.k0 + min(j0 + i32(four), t.tk - 1)) * params.kv_heads + hk;
    let second = u32(t.k0 + min(j0 + i32(four) + 16, t.tk - 1)) * params.kv_heads + hk;
    for (var e0 = 0u; e0 < params.k; e0 += 16u) {
      let e = min(e0 + lane, params.k - 1u);
      var some: vec4<f32>;
      for (var r = 0; r < 4; r++) {
        some[r] = f32(q[(u32(t.q0 + min(i + r, t.tq - 1)) * params.heads + h) * params.k + e]);
      }
      queries[lane * 16u + four] = some;
      keys[lane * 33u + four] = f32(k[first * params.k + e]);
      keys[lane * 33u + four + 16u] = f32(k[second * params.k + e]);
      workgroupBarrier();
      for (var d = 0u; d < min(16u, params.k - e0); d++) {
        let a = queries[d * 16u + four];
        s[0] += a * keys[d * 33u + lane];
        s[1] += a * keys[d * 33u + lane + 16u];
      }
      workgroupBarrier();
    }
    for (var e0 = 0u; e0 < params.v; e0 += 16u) {
      let e = min(e0 + lane, params.v - 1u);
      var some: vec4<f32>;
      for (var r = 0; r < 4; r++) {
        some[r] = f32(dy[(u32(t.q0 + min(i + r, t.tq - 1)) * params.heads + h) * params.v + e]);
      }
      queries[lane * 16u + four] = some;
      keys[lane * 33u + four] = f32(v[first * params.v + e]);
      keys[lane * 33u + four + 16u] = f32(v[second * params.v + e]);
      workgroupBarrier();
      for (var d = 0u; d < min(16u, params.v - e0); d++) {
        let a = queries[d * 16u + four];
        dp[0] += a * keys[d * 33u + lane];
        dp[1] += a * keys[d * 33u + lane + 16u];
      }
      workgroupBarrier();
    }
    let rows = fourFrom(i);
    // No constant bound: unrolling costs software drivers seconds.
    for (var n = 0u; n < min(2u, params.k + 1u); n++) {
      let j = vec4(j0 + i32(lane + n * 16u));
      let distance = distanceOf(t, rows, j);
      let scores = scoresOf(select(s[0], s[1], n == 1u), slope, distance);
      let part = exp(min(scores.score - top, vec4(0.0))) * (select(dp[0], dp[1], n == 1u) - delta);
      let seen_four = sees(t, h, rows, j);
      distant += select(vec4(0.0), part * distance, seen_four);
      slopes[(lane + n * 16u) * 16u + four] = select(vec4(0.0), part * scores.turn * params.scale, seen_four);
    }
    workgroupBarrier();
    for (var j = 0u; j < u32(width); j++) {
      let ds = slopes[j * 16u + four];
      let at = ((u32(t.k0 + j0) + j) * params.kv_heads + hk) * params.k;
      // Left out, not weighted by 0: NaN of a key that is not seen stays out.
      let hidden = ds == vec4(0.0);
      for (var c = 0u; c < COLUMNS; c++) {
        acc[c] = select(acc[c] + ds * f32(k[at + min(lane + c * 16u, params.k - 1u)]), acc[c], hidden);
      }
    }
    workgroupBarrier();
  }
  // The bound is no constant on purpose: unrolling costs software drivers seconds.
  for (var r = 0; r < min(4, t.tq - i); r++) {
    for (var c = 0u; c < COLUMNS; c++) {
      let column = lane + c * 16u;
      if (column < params.k) { dq[(u32(t.q0 + i + r) * params.heads + h) * params.k + column] = F(acc[c][r]); }
    }
  }
  if (params.alibi_at == 0u) { return; }
  queries[lane * 16u + four] = distant;
  workgroupBarrier();
  if (lane < 4u && i + i32(lane) < t.tq) {
    var sum = 0.0;
    for (var l = 0u; l < 16u; l++) { sum += queries[l * 16u + four][lane]; }
    far[row + u32(i) + lane] = sum;
  }
}
