// y_i = sum_j softmax_j(scale q_i . k_j) v_j with a running maximum and sum; one workgroup takes 16 queries of a head
// and walks over the keys. An invocation owns columns lane, lane + 16, ... of its query's output.
alias F = f32; // define: f32 | f16
const COLUMNS = 4u; // define: 4 | 8 | 16

struct Params {
  rows: u32, tiles: u32, tq: u32, tk: u32, rows_k: u32, heads: u32, kv_heads: u32, k: u32, v: u32,
  causal: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [B, Tq, H, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [B, rows_k, Hkv, K], the first Tk rows are used
@group(0) @binding(3) var<storage, read> v: array<F>; // [B, rows_k, Hkv, V]
@group(0) @binding(4) var<storage, read_write> y: array<F>; // [B, Tq, H, V]
@group(0) @binding(5) var<storage, read_write> lse: array<f32>; // [B, H, Tq]

// include shared/attention.wgsl
// include shared/number.wgsl
var<workgroup> scores: array<f32, 272>;

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
  var acc: array<f32, COLUMNS>;
  var highest = LOWEST;
  var total = 0.0;
  // No query of this tile sees keys at or beyond `end`.
  let end = select(params.tk, min(params.tk, i0 + TILE + params.tk - min(params.tq, i0 + TILE + params.tk)), params.causal == 1u);
  for (var j0 = 0u; j0 < end; j0 += TILE) {
    var s = 0.0;
    for (var e0 = 0u; e0 < params.k; e0 += TILE) {
      let e = e0 + lane;
      left[row * 17u + lane] = select(0.0, f32(q[atQuery(b, i, h, params.k) + min(e, params.k - 1u)]), e < params.k);
      right[row * 17u + lane] = select(0.0, f32(k[atKey(b, j0 + row, hk, params.k) + min(e, params.k - 1u)]), e < params.k);
      workgroupBarrier();
      s += tileDot(row, lane);
      workgroupBarrier();
    }
    scores[row * 17u + lane] = select(LOWEST, s * params.scale, sees(i, j0 + lane));
    workgroupBarrier();
    var next = highest;
    // The bound is no constant on purpose: unrolling this loop and the next costs software drivers seconds.
    let size = min(TILE, params.tk - j0);
    for (var j = 0u; j < size; j++) { next = larger(next, scores[row * 17u + j]); }
    let shrink = exp(highest - next);
    total *= shrink;
    for (var c = 0u; c < COLUMNS; c++) { acc[c] *= shrink; }
    for (var j = 0u; j < size; j++) {
      let score = scores[row * 17u + j];
      // Skipped, not weighted by 0: NaN of a key that is not seen stays out.
      if (!(score > LOWEST * 0.5 || !isNumber(score))) { continue; }
      let p = exp(score - next);
      total += p;
      let at = atKey(b, j0 + j, hk, params.v);
      for (var c = 0u; c < COLUMNS; c++) { acc[c] += p * f32(v[at + min(lane + c * TILE, params.v - 1u)]); }
    }
    highest = next;
    workgroupBarrier();
  }
  if (i >= params.tq) { return; }
  // A query that sees no key gives zeros.
  let inverse = select(0.0, 1.0 / larger(total, 1.0e-30), total > 0.0 || !isNumber(total));
  for (var c = 0u; c < COLUMNS; c++) {
    let column = lane + c * TILE;
    if (column < params.v) { y[atQuery(b, i, h, params.v) + column] = F(acc[c] * inverse); }
  }
  if (lane == 0u) { lse[(b * params.heads + h) * params.tq + i] = select(0.0, highest + log(larger(total, 1.0e-30)), total > 0.0 || !isNumber(total)); }
}
