// Gradient of the log-decays, one workgroup a chunk and head. What passes through token t's decay is every pair of a
// source before t and a reader from t on, so with M_ij = scale e^{g between} (q_i . k_j)(dy_i . v_j):
//   dg_t = sum_{i>=t>j} M_ij + sum_{i>=t} reader_i + sum_{j<t} writer_j + e^{g of the chunk} <S, dS>,
// reader_i and writer_j being the dots of mix. Sums of what is there, never a difference: digits stay under strong decay.
alias F = f32; // define: f32 | f16

struct Params {
  rows: u32, tokens: u32, heads: u32, groups: u32, k: u32, v: u32, at_gates: u32, at_read: u32, at_written: u32,
  tiles: u32, scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [B, T, G, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [B, T, G, K]
@group(0) @binding(3) var<storage, read> v: array<F>; // [B, T, H, V]
@group(0) @binding(4) var<storage, read> dy: array<F>; // [B, T, H, V]
@group(0) @binding(5) var<storage, read> starts: array<f32>; // [slots, H, K, V], S before the chunk
@group(0) @binding(6) var<storage, read> ends: array<f32>; // [slots, H, K, V], dS behind it
@group(0) @binding(7) var<storage, read> table: array<u32>; // [*], see shared/scalar-decay
@group(0) @binding(8) var<storage, read_write> dots: array<f32>; // [B, T, H] gradient of the decay; from at_read and at_written [tiles, B, T, H]

// include shared/scalar-decay.wgsl
var<workgroup> tile_a: array<f32, 1040>; // [16, 65]
var<workgroup> tile_b: array<f32, 1040>;
var<workgroup> readers: array<f32, 64>;
var<workgroup> writers: array<f32, 64>;
var<workgroup> tree: array<f32, 256>;

// Products of rows of q and k (or dy and v) of all pairs of tokens: sums[r][c] of tokens y + 16 r and x + 16 c.
fn fill(slot: Slot, h: u32, at: u32, width: u32, values: bool, lane: u32) {
  let d = lane % 16u;
  let count = select(params.groups, params.heads, values);
  for (var i = lane / 16u; i < 64u; i += 16u) {
    var left = 0.0;
    var right = 0.0;
    if (i < slot.size && at + d < width) {
      let at_row = ((slot.begin + i) * count + h * count / params.heads) * width + at + d;
      if (values) {
        left = f32(dy[at_row]);
        right = f32(v[at_row]);
      } else {
        left = f32(q[at_row]);
        right = f32(k[at_row]);
      }
    }
    tile_a[d * 65u + i] = left;
    tile_b[d * 65u + i] = right;
  }
}

fn product(sums: ptr<function, array<vec4<f32>, 4>>, depth: u32, x: u32, y: u32) {
  for (var d = 0u; d < depth; d++) {
    let at = d * 65u + x;
    let row = vec4(tile_b[at], tile_b[at + 16u], tile_b[at + 32u], tile_b[at + 48u]);
    for (var r = 0u; r < 4u; r++) { (*sums)[r] += tile_a[d * 65u + y + 16u * r] * row; }
  }
}

fn pairs(sums: ptr<function, array<vec4<f32>, 4>>, slot: Slot, h: u32, width: u32, values: bool, local: vec3<u32>, lane: u32) {
  for (var at = 0u; at < width; at += 16u) {
    fill(slot, h, at, width, values, lane);
    workgroupBarrier();
    product(sums, min(16u, width - at), local.x, local.y);
    workgroupBarrier();
  }
}

// <S, dS> of the chunk, in every invocation.
fn through(at: u32, lane: u32) -> f32 {
  var sum = 0.0;
  for (var e = lane; e < params.k * params.v; e += 256u) { sum += starts[at + e] * ends[at + e]; }
  tree[lane] = sum;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half /= 2u) {
    if (lane < half) { tree[lane] += tree[lane + half]; }
    workgroupBarrier();
  }
  return tree[0];
}

fn loadDots(slot: Slot, h: u32, lane: u32) {
  if (lane < CHUNK) {
    var sums = vec2(0.0);
    if (lane < slot.size) {
      for (var t = 0u; t < params.tiles; t++) {
        let at = (t * params.tokens + slot.begin + lane) * params.heads + h;
        sums += vec2(dots[params.at_read + at], dots[params.at_written + at]);
      }
    }
    readers[lane] = sums.x;
    writers[lane] = sums.y;
  }
  workgroupBarrier();
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = wg.x + wg.y * wgs.x;
  if (group >= params.rows) { return; }
  let h = group % params.heads;
  let slot = slotAt(group / params.heads);
  if (slot.size == 0u) { return; }
  sumGates(slot, h, lane);
  loadDots(slot, h, lane);
  let passing = through(group * params.k * params.v, lane) * exp(blocks(0u, 4u));
  var scores: array<vec4<f32>, 4>;
  var slopes: array<vec4<f32>, 4>;
  pairs(&scores, slot, h, params.k, false, local, lane);
  pairs(&slopes, slot, h, params.v, true, local, lane);
  // Bands of 16 readers from the last: lane j < 64 keeps the sum over readers i >= t of source j.
  var column = 0.0;
  for (var band = 4u; band > 0u; band--) {
    let r = band - 1u;
    let i = r * 16u + local.y;
    for (var c = 0u; c < 4u; c++) {
      let j = c * 16u + local.x;
      var pair = 0.0;
      if (j <= i && i < slot.size) { pair = params.scale * scores[r][c] * slopes[r][c] * exp(between(j, i)); }
      tile_a[local.y * 65u + j] = pair;
    }
    workgroupBarrier();
    if (lane < CHUNK) {
      for (var step = 16u; step > 0u; step--) {
        column += tile_a[(step - 1u) * 65u + lane];
        tile_a[(step - 1u) * 65u + lane] = select(0.0, column, lane < r * 16u + step - 1u);
      }
    }
    workgroupBarrier();
    var part = 0.0;
    for (var c = 0u; c < 4u; c++) { part += tile_a[local.y * 65u + c * 16u + local.x]; }
    tree[lane] = part;
    workgroupBarrier();
    let t = r * 16u + lane;
    if (lane < 16u && t < slot.size) {
      var sum = passing;
      for (var c = 0u; c < 16u; c++) { sum += tree[lane * 16u + c]; }
      for (var m = 0u; m < CHUNK; m++) { sum += select(writers[m], readers[m], m >= t); }
      dots[(slot.begin + t) * params.heads + h] = sum;
    }
    workgroupBarrier();
  }
}
