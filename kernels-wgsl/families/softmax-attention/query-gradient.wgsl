// dq_i = scale sum_j ds_ij k_j with ds = p (dy . v - delta) and p made again from lse; tiles as in forward.wgsl.
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
@group(0) @binding(7) var<storage, read_write> dq: array<F>; // [B, Tq, H, K]

// include shared/attention.wgsl
var<workgroup> slopes: array<f32, 272>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let group = wg.x + wg.y * wgs.x;
  if (group >= params.rows) { return; }
  let i0 = (group % params.tiles) * TILE;
  let h = (group / params.tiles) % params.heads;
  let b = group / params.tiles / params.heads;
  let hk = h / (params.heads / params.kv_heads);
  let row = local.y;
  let lane = local.x;
  let i = i0 + row;
  let at_row = (b * params.heads + h) * params.tq + min(i, params.tq - 1u);
  let own_lse = lse[at_row];
  let own_delta = delta[at_row];
  var acc: array<f32, COLUMNS>;
  for (var j0 = 0u; j0 < params.tk; j0 += TILE) {
    var s = 0.0;
    var dp = 0.0;
    for (var e0 = 0u; e0 < params.k; e0 += TILE) {
      let e = e0 + lane;
      left[row * 17u + lane] = select(0.0, f32(q[atQuery(b, i, h, params.k) + min(e, params.k - 1u)]), e < params.k);
      right[row * 17u + lane] = select(0.0, f32(k[atKey(b, j0 + row, hk, params.k) + min(e, params.k - 1u)]), e < params.k);
      workgroupBarrier();
      s += tileDot(row, lane);
      workgroupBarrier();
    }
    for (var e0 = 0u; e0 < params.v; e0 += TILE) {
      let e = e0 + lane;
      left[row * 17u + lane] = select(0.0, f32(dy[atQuery(b, i, h, params.v) + min(e, params.v - 1u)]), e < params.v);
      right[row * 17u + lane] = select(0.0, f32(v[atKey(b, j0 + row, hk, params.v) + min(e, params.v - 1u)]), e < params.v);
      workgroupBarrier();
      dp += tileDot(row, lane);
      workgroupBarrier();
    }
    var slope = 0.0;
    if (sees(i, j0 + lane)) { slope = exp(min(s * params.scale - own_lse, 0.0)) * (dp - own_delta) * params.scale; }
    slopes[row * 17u + lane] = slope;
    workgroupBarrier();
    for (var j = 0u; j < min(TILE, params.tk - j0); j++) {
      let at = atKey(b, j0 + j, hk, params.k);
      let slope_j = slopes[row * 17u + j];
      for (var c = 0u; c < COLUMNS; c++) { acc[c] += slope_j * f32(k[at + min(lane + c * TILE, params.k - 1u)]); }
    }
    workgroupBarrier();
  }
  if (i >= params.tq) { return; }
  for (var c = 0u; c < COLUMNS; c++) {
    let column = lane + c * TILE;
    if (column < params.k) { dq[atQuery(b, i, h, params.k) + column] = F(acc[c]); }
  }
}
