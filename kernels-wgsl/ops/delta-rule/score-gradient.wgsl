// Gradients of the triangles, dA = lower(dO U^T) and dN = strict-lower(R U^T) with U = beta E and R the adjoint of what
// the keys read, times the decays; and what the pairs say of each log-decay: the sum of those it lies between.
alias F = f32; // define: f32 | f16
override DY: u32 = 1u;

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<F>; // [tokens, H, V]
@group(0) @binding(2) var<storage, read> du: array<f32>; // [tokens, H, V]: R
@group(0) @binding(3) var<storage, read> errors: array<f32>; // [tokens, H, V]
@group(0) @binding(4) var<storage, read> gates: array<vec4<f32>>; // [tokens, H]
@group(0) @binding(5) var<storage, read> scores: array<vec4<f32>>; // [slots, H, 2, 32, 8]
@group(0) @binding(6) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(7) var<storage, read_write> dscores: array<vec4<f32>>; // [slots, H, 2, 32, 8]
@group(0) @binding(8) var<storage, read_write> ddecay: array<f32>; // [tokens, H]

// include shared/delta-rule.wgsl
// include shared/delta-decays.wgsl
var<workgroup> read_tile: array<vec4<f32>, 128>; // [16, 8]: dO
var<workgroup> key_tile: array<vec4<f32>, 128>; // R
var<workgroup> write_tile: array<vec4<f32>, 128>; // U
var<workgroup> pairs: array<vec4<f32>, 256>; // [32 columns, 8]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, wgs);
  if (row >= params.rows) { return; }
  let h = row % params.heads;
  let slot = slotAt(row / params.heads);
  if (lane < CHUNK) {
    var g = 0.0;
    if (lane < slot.size) { g = gates[(slot.begin + lane) * params.heads + h].w; }
    logs[lane] = g;
  }
  let i = lane / 8u;
  let j = lane % 8u;
  var da: array<vec4<f32>, 4>;
  var dn: array<vec4<f32>, 4>;
  for (var e0 = 0u; e0 < params.v; e0 += 16u) {
    for (var tokens = lane / 16u; tokens < 8u; tokens += 4u) {
      let e = lane % 16u;
      var reads = vec4(0.0);
      var keys = vec4(0.0);
      var writes = vec4(0.0);
      for (var r = 0u; r < 4u; r++) {
        let token = slot.begin + tokens * 4u + r;
        if (tokens * 4u + r < slot.size && e0 + e < params.v) {
          let at = atHead(token, h, params.v) + e0 + e;
          if (DY == 1u) { reads[r] = params.scale * f32(dy[at]); }
          keys[r] = du[at];
          writes[r] = errors[at] * gates[token * params.heads + h].x;
        }
      }
      read_tile[e * 8u + tokens] = reads;
      key_tile[e * 8u + tokens] = keys;
      write_tile[e * 8u + tokens] = writes;
    }
    workgroupBarrier();
    for (var e = 0u; e < min(16u, params.v - e0); e++) {
      let writes = write_tile[e * 8u + j];
      let reads = read_tile[e * 8u + i];
      let keys = key_tile[e * 8u + i];
      for (var c = 0u; c < 4u; c++) {
        da[c] += writes[c] * reads;
        dn[c] += writes[c] * keys;
      }
    }
    workgroupBarrier();
  }
  let rows = vec4(i * 4u, i * 4u + 1u, i * 4u + 2u, i * 4u + 3u);
  for (var c = 0u; c < 4u; c++) {
    let column = j * 4u + c;
    let d = decaysFrom(column, i * 4u);
    let below = rows > vec4(column);
    let at = row * 512u + column * 8u + i;
    pairs[column * 8u + i] = select(vec4(0.0), da[c] * scores[at + 256u] + dn[c] * scores[at], below);
    dscores[at] = select(vec4(0.0), dn[c] * d, below);
    dscores[at + 256u] = da[c] * d;
  }
  workgroupBarrier();
  if (lane >= slot.size) { return; }
  var total = 0.0;
  for (var column = 0u; column < lane; column++) {
    for (var r = lane; r < slot.size; r++) { total += pairs[column * 8u + r / 4u][r % 4u]; }
  }
  ddecay[(slot.begin + lane) * params.heads + h] = total;
}
