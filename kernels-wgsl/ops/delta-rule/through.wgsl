// What goes through states, tiles of tokens by key features. Part 0: e^b dO S^T, of the queries; part 1: e^b R S^T, of
// the keys as readers; part 2: e^{b_C-b} U dS^T, of the keys as writers. S enters the chunk, dS comes from after it.
alias F = f32; // define: f32 | f16
override DY: u32 = 1u;

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, tiles: u32, plane: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<F>; // [tokens, H, V]
@group(0) @binding(2) var<storage, read> du: array<f32>; // [tokens, H, V]: R
@group(0) @binding(3) var<storage, read> errors: array<f32>; // [tokens, H, V]
@group(0) @binding(4) var<storage, read> states: array<f32>; // [slots, H, K, V]
@group(0) @binding(5) var<storage, read> dstates: array<f32>; // [slots, H, K, V]
@group(0) @binding(6) var<storage, read> gates: array<vec4<f32>>; // [tokens, H]
@group(0) @binding(7) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(8) var<storage, read_write> through: array<f32>; // [3, tokens, H, K]

// include shared/delta-rule.wgsl
const TURNED = true;
var<private> slot: Slot;
var<private> chunk: u32;
var<private> h: u32;
var<private> column0: u32;

fn leftAt(kind: u32, row: u32, e: u32) -> vec4<f32> {
  var x = vec4(0.0);
  for (var r = 0u; r < 4u; r++) {
    if (row + r >= slot.size || e >= params.v) { continue; }
    let token = slot.begin + row + r;
    let at = atHead(token, h, params.v) + e;
    let gate = gates[token * params.heads + h];
    if (kind == 0u) {
      if (DY == 1u) { x[r] = gate.y * params.scale * f32(dy[at]); }
    } else if (kind == 1u) { x[r] = gate.y * du[at]; } else { x[r] = gate.z * gate.x * errors[at]; }
  }
  return x;
}

fn rightAt(kind: u32, e: u32, column: u32) -> vec4<f32> {
  var x = vec4(0.0);
  for (var c = 0u; c < 4u; c++) {
    let feature = column0 + column + c;
    if (feature >= params.k || e >= params.v) { continue; }
    let at = (chunk * params.k + feature) * params.v + e;
    if (kind == 2u) { x[c] = dstates[at]; } else { x[c] = states[at]; }
  }
  return x;
}

// include shared/delta-tile.wgsl
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = rowIndex(group, wgs);
  if (tile >= params.rows) { return; }
  let part = tile / params.tiles % 3u;
  chunk = tile / params.tiles / 3u;
  h = chunk % params.heads;
  slot = slotAt(chunk / params.heads);
  column0 = tile % params.tiles * 64u;
  addProduct(part, params.v, lane);
  for (var r = 0u; r < 4u; r++) {
    let row = lane / 16u * 4u + r;
    if (row >= slot.size) { continue; }
    let at = part * params.plane + atHead(slot.begin + row, h, params.k);
    for (var c = 0u; c < 4u; c++) {
      let column = column0 + lane % 16u * 4u + c;
      if (column < params.k) { through[at + column] = sums[r][c]; }
    }
  }
}
