// Last phase forward, tiles of tokens by values: y = scale (e^b Q S + A beta E).
alias F = f32; // define: f32 | f16

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, tiles: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, G, K]
@group(0) @binding(2) var<storage, read> gates: array<vec4<f32>>; // [tokens, H]
@group(0) @binding(3) var<storage, read> scores: array<vec4<f32>>; // [slots, H, 2, 32, 8]
@group(0) @binding(4) var<storage, read> errors: array<f32>; // [tokens, H, V]
@group(0) @binding(5) var<storage, read> states: array<f32>; // [slots, H, K, V]
@group(0) @binding(6) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(7) var<storage, read_write> y: array<F>; // [tokens, H, V]

// include shared/delta-rule.wgsl
const TURNED = false;
var<private> slot: Slot;
var<private> chunk: u32;
var<private> h: u32;
var<private> column0: u32;

fn leftAt(kind: u32, row: u32, e: u32) -> vec4<f32> {
  var x = vec4(0.0);
  if (kind == 1u) { return scores[chunk * 512u + 256u + e * 8u + row / 4u]; }
  for (var r = 0u; r < 4u; r++) {
    if (row + r < slot.size && e < params.k) { x[r] = f32(q[atKey(slot.begin + row + r, h) + e]); }
  }
  return x;
}

fn rightAt(kind: u32, e: u32, column: u32) -> vec4<f32> {
  var x = vec4(0.0);
  for (var c = 0u; c < 4u; c++) {
    let at = column0 + column + c;
    if (at >= params.v) { continue; }
    if (kind == 0u && e < params.k) { x[c] = states[(chunk * params.k + e) * params.v + at]; }
    if (kind == 1u && e < slot.size) { x[c] = errors[atHead(slot.begin + e, h, params.v) + at]; }
  }
  if (kind == 1u && e < slot.size) { x *= gates[(slot.begin + e) * params.heads + h].x; }
  return x;
}

// include shared/delta-tile.wgsl
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = rowIndex(group, wgs);
  if (tile >= params.rows) { return; }
  chunk = tile / params.tiles;
  column0 = tile % params.tiles * 64u;
  h = chunk % params.heads;
  slot = slotAt(chunk / params.heads);
  let row = lane / 16u * 4u;
  addProduct(0u, params.k, lane);
  for (var r = 0u; r < 4u; r++) {
    if (row + r < slot.size) { sums[r] *= gates[(slot.begin + row + r) * params.heads + h].y; }
  }
  addProduct(1u, CHUNK, lane);
  for (var r = 0u; r < 4u; r++) {
    if (row + r >= slot.size) { continue; }
    let at = atHead(slot.begin + row + r, h, params.v);
    for (var c = 0u; c < 4u; c++) {
      let column = column0 + lane % 16u * 4u + c;
      if (column < params.v) { y[at + column] = F(params.scale * sums[r][c]); }
    }
  }
}
