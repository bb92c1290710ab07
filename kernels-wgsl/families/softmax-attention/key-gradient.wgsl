// dk_j = scale sum_i ds_ij q_i and dv_j = sum_i p_ij dy_i, summed over the query heads that share a key head. One
// workgroup takes 64 keys of a key head and walks over heads and queries, 16 at a time; an invocation owns 4 keys.
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
@group(0) @binding(7) var<storage, read_write> dk: array<F>; // [B, Tk, Hkv, K]
@group(0) @binding(8) var<storage, read_write> dv: array<F>; // [B, Tk, Hkv, V]

// include shared/attention.wgsl
// include shared/number.wgsl
var<workgroup> keys: array<vec4<f32>, 256>; // [16 of K or V][16 fours of keys]
var<workgroup> queries: array<f32, 272>; // [16 of K or V][17]
var<workgroup> chances: array<vec4<f32>, 256>; // [16 queries][16 fours of keys]; -1 where hidden
var<workgroup> slopes: array<vec4<f32>, 256>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let group = wg.x + wg.y * wgs.x;
  if (group >= params.rows) { return; }
  let hk = group % params.kv_heads;
  let t = tileAt(group / params.kv_heads);
  let share = params.heads / params.kv_heads;
  let lane = local.x;
  let four = local.y;
  let j0 = t.start;
  let j = j0 + i32(four) * 4;
  let width = min(64, t.tk - j0);
  var acc_k: array<vec4<f32>, COLUMNS>;
  var acc_v: array<vec4<f32>, COLUMNS>;
  for (var h = hk * share; h < (hk + 1u) * share; h++) {
    let slope = slopeOf(h);
    for (var i0 = 0; i0 < t.tq; i0 += 16) {
      let size = min(16, t.tq - i0);
      if (seenOf(t, h, i0, size, j0, width) == 0u) { continue; }
      // Here an invocation stands for query i0 + lane and its keys.
      let own = u32(t.q0 + min(i0 + i32(four), t.tq - 1)) * params.heads + h;
      var s = vec4(0.0);
      var dp = vec4(0.0);
      for (var e0 = 0u; e0 < params.k; e0 += 16u) {
        let e = min(e0 + lane, params.k - 1u);
        var some: vec4<f32>;
        for (var r = 0; r < 4; r++) {
          some[r] = f32(k[(u32(t.k0 + min(j + r, t.tk - 1)) * params.kv_heads + hk) * params.k + e]);
        }
        keys[lane * 16u + four] = some;
        queries[lane * 17u + four] = f32(q[own * params.k + e]);
        workgroupBarrier();
        for (var d = 0u; d < min(16u, params.k - e0); d++) { s += keys[d * 16u + four] * queries[d * 17u + lane]; }
        workgroupBarrier();
      }
      for (var e0 = 0u; e0 < params.v; e0 += 16u) {
        let e = min(e0 + lane, params.v - 1u);
        var some: vec4<f32>;
        for (var r = 0; r < 4; r++) {
          some[r] = f32(v[(u32(t.k0 + min(j + r, t.tk - 1)) * params.kv_heads + hk) * params.v + e]);
        }
        keys[lane * 16u + four] = some;
        queries[lane * 17u + four] = f32(dy[own * params.v + e]);
        workgroupBarrier();
        for (var d = 0u; d < min(16u, params.v - e0); d++) { dp += keys[d * 16u + four] * queries[d * 17u + lane]; }
        workgroupBarrier();
      }
      let i = i0 + i32(lane);
      let stat = stats[(u32(t.batch) * params.heads + h) * params.tq + u32(t.q_base + min(i, t.tq - 1))];
      let columns = fourFrom(j);
      let scores = scoresOf(s, slope, distanceOf(t, vec4(i), columns));
      let seen = sees(t, h, vec4(i), columns);
      // min may drop NaN; the log-sum-exp is NaN where any score of the row is.
      let chance = select(vec4(stat.x), exp(min(scores.score - stat.x, vec4(0.0))), isNumber(stat.x));
      let p = select(vec4(-1.0), chance, seen);
      let ds = p * (dp - stat.y) * scores.turn * params.scale;
      chances[lane * 16u + four] = p;
      slopes[lane * 16u + four] = ds;
      workgroupBarrier();
      // From here on it stands for its keys and columns lane, lane + 16, ... Hidden pairs are left out: NaN stays out.
      for (var n = 0u; n < u32(size); n++) {
        let at = (u32(t.q0 + i0) + n) * params.heads + h;
        let ds_n = slopes[n * 16u + four];
        let p_n = chances[n * 16u + four];
        let hidden = p_n < vec4(0.0);
        for (var c = 0u; c < COLUMNS; c++) {
          let column = lane + c * 16u;
          acc_k[c] = select(acc_k[c] + ds_n * f32(q[at * params.k + min(column, params.k - 1u)]), acc_k[c], hidden);
          acc_v[c] = select(acc_v[c] + p_n * f32(dy[at * params.v + min(column, params.v - 1u)]), acc_v[c], hidden);
        }
      }
      workgroupBarrier();
    }
  }
  // Rows that are held but not in use get 0. The bound is no constant: unrolling costs software drivers seconds.
  for (var r = 0; r < min(4, t.room - j); r++) {
    let at = u32(t.k0 + j + r) * params.kv_heads + hk;
    for (var c = 0u; c < COLUMNS; c++) {
      let column = lane + c * 16u;
      if (column < params.k) { dk[at * params.k + column] = F(acc_k[c][r]); }
      if (column < params.v) { dv[at * params.v + column] = F(acc_v[c][r]); }
    }
  }
}
