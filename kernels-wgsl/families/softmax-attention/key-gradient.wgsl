// dk_j = scale sum_i ds_ij q_i and dv_j = sum_i p_ij dy_i, summed over the query heads that share a key head. One
// workgroup takes 16 keys of a key head and walks over heads and queries.
alias F = f32; // define: f32 | f16
const COLUMNS = 4u; // define: 4 | 8 | 16

struct Params {
  rows: u32, tiles: u32, tq: u32, tk: u32, rows_k: u32, heads: u32, kv_heads: u32, k: u32, v: u32,
  causal: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [B, Tq, H, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [B, rows_k, Hkv, K]
@group(0) @binding(3) var<storage, read> v: array<F>; // [B, rows_k, Hkv, V]
@group(0) @binding(4) var<storage, read> dy: array<F>; // [B, Tq, H, V]
@group(0) @binding(5) var<storage, read> lse: array<f32>; // [B, H, Tq]
@group(0) @binding(6) var<storage, read> delta: array<f32>; // [B, H, Tq]
@group(0) @binding(7) var<storage, read_write> dk: array<F>; // [B, rows_k, Hkv, K]
@group(0) @binding(8) var<storage, read_write> dv: array<F>; // [B, rows_k, Hkv, V]

// include shared/attention.wgsl
var<workgroup> chances: array<f32, 272>; // [query, key]
var<workgroup> slopes: array<f32, 272>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let group = wg.x + wg.y * wgs.x;
  if (group >= params.rows) { return; }
  let j0 = (group % params.tiles) * TILE;
  let hk = (group / params.tiles) % params.kv_heads;
  let b = group / params.tiles / params.kv_heads;
  let share = params.heads / params.kv_heads;
  let row = local.y;
  let lane = local.x;
  var acc_k: array<f32, COLUMNS>;
  var acc_v: array<f32, COLUMNS>;
  for (var h = hk * share; h < (hk + 1u) * share; h++) {
    for (var i0 = 0u; i0 < params.tq; i0 += TILE) {
      // Here an invocation stands for query i0 + row and key j0 + lane.
      var s = 0.0;
      var dp = 0.0;
      for (var e0 = 0u; e0 < params.k; e0 += TILE) {
        let e = e0 + lane;
        left[row * 17u + lane] = select(0.0, f32(q[atQuery(b, i0 + row, h, params.k) + min(e, params.k - 1u)]), e < params.k);
        right[row * 17u + lane] = select(0.0, f32(k[atKey(b, j0 + row, hk, params.k) + min(e, params.k - 1u)]), e < params.k);
        workgroupBarrier();
        s += tileDot(row, lane);
        workgroupBarrier();
      }
      for (var e0 = 0u; e0 < params.v; e0 += TILE) {
        let e = e0 + lane;
        left[row * 17u + lane] = select(0.0, f32(dy[atQuery(b, i0 + row, h, params.v) + min(e, params.v - 1u)]), e < params.v);
        right[row * 17u + lane] = select(0.0, f32(v[atKey(b, j0 + row, hk, params.v) + min(e, params.v - 1u)]), e < params.v);
        workgroupBarrier();
        dp += tileDot(row, lane);
        workgroupBarrier();
      }
      let at_row = (b * params.heads + h) * params.tq + min(i0 + row, params.tq - 1u);
      var p = 0.0;
      if (sees(i0 + row, j0 + lane)) { p = exp(min(s * params.scale - lse[at_row], 0.0)); }
      chances[row * 17u + lane] = p;
      slopes[row * 17u + lane] = p * (dp - delta[at_row]) * params.scale;
      workgroupBarrier();
      // From here on it stands for key j0 + row and columns lane, lane + 16, ...
      for (var i = 0u; i < min(TILE, params.tq - i0); i++) {
        let at_q = atQuery(b, i0 + i, h, params.k);
        let at_y = atQuery(b, i0 + i, h, params.v);
        let slope = slopes[i * 17u + row];
        let chance = chances[i * 17u + row];
        for (var c = 0u; c < COLUMNS; c++) {
          let column = lane + c * TILE;
          acc_k[c] += slope * f32(q[at_q + min(column, params.k - 1u)]);
          acc_v[c] += chance * f32(dy[at_y + min(column, params.v - 1u)]);
        }
      }
      workgroupBarrier();
    }
  }
  let j = j0 + row;
  if (j >= params.rows_k) { return; }
  let at = (b * params.rows_k + j) * params.kv_heads + hk;
  for (var c = 0u; c < COLUMNS; c++) {
    let column = lane + c * TILE;
    if (column < params.k) { dk[at * params.k + column] = F(acc_k[c]); }
    if (column < params.v) { dv[at * params.v + column] = F(acc_v[c]); }
  }
}
