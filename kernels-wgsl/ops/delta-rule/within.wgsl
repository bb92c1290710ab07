// Gradients of queries and keys, tiles of tokens by features: what went through states, and what goes by the triangles.
// Part 0: dq = through + dA K; part 1: dk = through (as reader and as writer) + dN K + dA^T Q + dN^T K.
alias F = f32; // define: f32 | f16
alias Y = f32; // define: f32 | f16

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, tiles: u32, plane: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, G, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [tokens, G, K]
@group(0) @binding(3) var<storage, read> dscores: array<f32>; // [slots, H, 2, 32, 32]
@group(0) @binding(4) var<storage, read> through: array<f32>; // [3, tokens, H, K]
@group(0) @binding(5) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(6) var<storage, read_write> dq: array<Y>; // [tokens, H, K]
@group(0) @binding(7) var<storage, read_write> dk: array<Y>; // [tokens, H, K]

// include shared/delta-rule.wgsl
const TURNED = false;
var<private> slot: Slot;
var<private> chunk: u32;
var<private> h: u32;
var<private> column0: u32;

// Kinds: 0 dA, 1 dN, 2 dA turned, 3 dN turned.
fn leftAt(kind: u32, row: u32, e: u32) -> vec4<f32> {
  let at = chunk * 2048u + select(0u, 1024u, kind % 2u == 0u);
  var x = vec4(0.0);
  for (var r = 0u; r < 4u; r++) {
    x[r] = dscores[at + select(e * 32u + row + r, (row + r) * 32u + e, kind >= 2u)];
  }
  return x;
}

fn rightAt(kind: u32, e: u32, column: u32) -> vec4<f32> {
  var x = vec4(0.0);
  if (e >= slot.size) { return x; }
  for (var c = 0u; c < 4u; c++) {
    let feature = column0 + column + c;
    if (feature >= params.k) { continue; }
    let at = atKey(slot.begin + e, h) + feature;
    if (kind == 2u) { x[c] = f32(q[at]); } else { x[c] = f32(k[at]); }
  }
  return x;
}

// include shared/delta-tile.wgsl
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = rowIndex(group, wgs);
  if (tile >= params.rows) { return; }
  let part = tile / params.tiles % 2u;
  chunk = tile / params.tiles / 2u;
  h = chunk % params.heads;
  slot = slotAt(chunk / params.heads);
  column0 = tile % params.tiles * 64u;
  for (var kind = part; kind < 1u + 3u * part; kind++) { addProduct(kind, CHUNK, lane); }
  for (var r = 0u; r < 4u; r++) {
    let row = lane / 16u * 4u + r;
    if (row >= slot.size) { continue; }
    let begin = atHead(slot.begin + row, h, params.k);
    for (var c = 0u; c < 4u; c++) {
      let at = begin + column0 + lane % 16u * 4u + c;
      if (column0 + lane % 16u * 4u + c >= params.k) { continue; }
      if (part == 0u) { dq[at] = Y(sums[r][c] + through[at]); }
      else { dk[at] = Y(sums[r][c] + through[params.plane + at] + through[2u * params.plane + at]); }
    }
  }
}
