// First of the backward phases, tiles by values: what dy alone says of u, du = A^T dO, and of the state entering a chunk
// from within it, Q = (e^b q)^T dO, with dO = scale dy. Tile 0 of a chunk is du, the others are 32 rows of Q each.
alias F = f32; // define: f32 | f16
override DY: u32 = 1u;

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, tiles: u32, blocks: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, G, K]
@group(0) @binding(2) var<storage, read> dy: array<F>; // [tokens, H, V]
@group(0) @binding(3) var<storage, read> gates: array<vec4<f32>>; // [tokens, H]
@group(0) @binding(4) var<storage, read> scores: array<f32>; // [slots, H, 2, 32, 32]
@group(0) @binding(5) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(6) var<storage, read_write> du: array<f32>; // [tokens, H, V]
@group(0) @binding(7) var<storage, read_write> dstates: array<f32>; // [slots, H, K, V]

// include shared/delta-rule.wgsl
const TURNED = false;
var<private> slot: Slot;
var<private> chunk: u32;
var<private> h: u32;
var<private> row0: u32;
var<private> column0: u32;

// Kind 0: A turned; kind 1: queries turned. Rows are tokens or features, e is a token.
fn leftAt(kind: u32, row: u32, e: u32) -> vec4<f32> {
  var x = vec4(0.0);
  if (kind == 0u) {
    for (var r = 0u; r < 4u; r++) { x[r] = scores[chunk * 2048u + 1024u + (row + r) * 32u + e]; }
    return x;
  }
  if (e >= slot.size) { return x; }
  for (var r = 0u; r < 4u; r++) {
    if (row0 + row + r < params.k) { x[r] = f32(q[atKey(slot.begin + e, h) + row0 + row + r]); }
  }
  return x * gates[(slot.begin + e) * params.heads + h].y;
}

fn rightAt(kind: u32, e: u32, column: u32) -> vec4<f32> {
  var x = vec4(0.0);
  if (DY == 0u || e >= slot.size) { return x; }
  let at = atHead(slot.begin + e, h, params.v);
  for (var c = 0u; c < 4u; c++) {
    if (column0 + column + c < params.v) { x[c] = params.scale * f32(dy[at + column0 + column + c]); }
  }
  return x;
}

// include shared/delta-tile.wgsl
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = rowIndex(group, wgs);
  if (tile >= params.rows) { return; }
  let block = tile / params.tiles % params.blocks;
  chunk = tile / params.tiles / params.blocks;
  h = chunk % params.heads;
  slot = slotAt(chunk / params.heads);
  column0 = tile % params.tiles * 64u;
  row0 = (max(block, 1u) - 1u) * 32u;
  addProduct(min(block, 1u), CHUNK, lane);
  for (var r = 0u; r < 4u; r++) {
    let row = lane / 16u * 4u + r;
    for (var c = 0u; c < 4u; c++) {
      let column = column0 + lane % 16u * 4u + c;
      if (column >= params.v) { continue; }
      if (block == 0u) {
        if (row < slot.size) { du[atHead(slot.begin + row, h, params.v) + column] = sums[r][c]; }
      } else if (row0 + row < params.k) {
        dstates[(chunk * params.k + row0 + row) * params.v + column] = sums[r][c];
      }
    }
  }
}
