// Third phase, one workgroup 64 tokens x 64 columns: for token i of a chunk, with Z the state (or gradient) at its edge,
//   out_i = pair_scale sum_j e^{g between} (a_i . b_j) c_j + edge_scale e^{g to the edge} a_i Z,
// over j <= i with Z before the chunk, or (reverse = 1) over j >= i with Z behind it. turned = 1: Z is stored transposed.
//   y: a = q, b = k, c = v, Z = S;           dv: reverse, a = k, b = q, c = dy, Z = dS;
//   dq: a = dy, b = v, c = k, Z = S^T;       dk: reverse, a = v, b = dy, c = q, Z = dS^T.
// with_dots = 1 also writes the second term times e_i, summed over the columns: what the gradient of the decay needs.
// All of these are uniforms: one pipeline serves the four uses.
alias F = f32; // define: f32 | f16
alias R = f32; // define: f32 | f16

struct Params {
  rows: u32, tokens: u32, heads: u32, heads_a: u32, heads_b: u32, heads_c: u32, heads_e: u32, n: u32, m: u32,
  at_gates: u32, at_dots: u32, reverse: u32, turned: u32, with_dots: u32, pair_scale: f32, edge_scale: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<F>; // [B, T, heads_a, N]
@group(0) @binding(2) var<storage, read> b: array<F>; // [B, T, heads_b, N]
@group(0) @binding(3) var<storage, read> c: array<F>; // [B, T, heads_c, M]
@group(0) @binding(4) var<storage, read> e: array<F>; // [B, T, heads_e, M]
@group(0) @binding(5) var<storage, read> z: array<f32>; // [slots, H, N, M], turned [slots, H, M, N]
@group(0) @binding(6) var<storage, read> table: array<u32>; // [*], see shared/scalar-decay
@group(0) @binding(7) var<storage, read_write> y: array<R>; // [B, T, H, M]
@group(0) @binding(8) var<storage, read_write> dots: array<f32>; // [M / 64, B, T, H] from at_dots

// include shared/scalar-decay.wgsl
var<workgroup> tile_a: array<f32, 1088>; // [16, 65], or [64, 17]
var<workgroup> tile_b: array<f32, 1040>;

// Row of head h, in an array of `count` heads, of a token.
fn rowOf(token: u32, count: u32, h: u32) -> u32 {
  return token * count + h * count / params.heads;
}

fn fillA(slot: Slot, h: u32, n0: u32, lane: u32) {
  let k = lane % 16u;
  for (var i = lane / 16u; i < 64u; i += 16u) {
    var value = 0.0;
    if (i < slot.size && n0 + k < params.n) { value = f32(a[rowOf(slot.begin + i, params.heads_a, h) * params.n + n0 + k]); }
    tile_a[k * 65u + i] = value;
  }
}

fn fillB(slot: Slot, h: u32, n0: u32, lane: u32) {
  let k = lane % 16u;
  for (var j = lane / 16u; j < 64u; j += 16u) {
    var value = 0.0;
    if (j < slot.size && n0 + k < params.n) { value = f32(b[rowOf(slot.begin + j, params.heads_b, h) * params.n + n0 + k]); }
    tile_b[k * 65u + j] = value;
  }
}

fn fillZ(at: u32, n0: u32, m0: u32, lane: u32) {
  for (var s = 0u; s < 4u; s++) {
    let x = s * 256u + lane;
    // Neighbouring lanes read neighbouring addresses in either layout.
    let k = select(x / 64u, x % 16u, params.turned == 1u);
    let m = select(x % 64u, x / 16u, params.turned == 1u);
    var value = 0.0;
    if (n0 + k < params.n && m0 + m < params.m) {
      value = z[at + select((n0 + k) * params.m + m0 + m, (m0 + m) * params.n + n0 + k, params.turned == 1u)];
    }
    tile_b[k * 65u + m] = value;
  }
}

fn fillC(slot: Slot, h: u32, j0: u32, m0: u32, lane: u32) {
  let m = lane % 64u;
  for (var k = lane / 64u; k < 16u; k += 4u) {
    var value = 0.0;
    if (j0 + k < slot.size && m0 + m < params.m) { value = f32(c[rowOf(slot.begin + j0 + k, params.heads_c, h) * params.m + m0 + m]); }
    tile_b[k * 65u + m] = value;
  }
}

// sums[r][c] += sum over `depth` of tile_a[., y + 16 r] tile_b[., x + 16 c]
fn product(sums: ptr<function, array<vec4<f32>, 4>>, depth: u32, x: u32, y: u32) {
  for (var k = 0u; k < depth; k++) {
    let at = k * 65u + x;
    let row = vec4(tile_b[at], tile_b[at + 16u], tile_b[at + 32u], tile_b[at + 48u]);
    for (var r = 0u; r < 4u; r++) { (*sums)[r] += tile_a[k * 65u + y + 16u * r] * row; }
  }
}

fn pairWeight(i: u32, j: u32) -> f32 {
  let low = select(j, i, params.reverse == 1u);
  let high = select(i, j, params.reverse == 1u);
  if (low > high) { return 0.0; }
  return exp(between(low, high));
}

fn edgeWeight(i: u32) -> f32 {
  if (params.reverse == 1u) { return exp(afterToken(i)); }
  return exp(toToken(i));
}

fn pick(v: vec4<f32>, s: u32) -> f32 {
  return select(select(v.x, v.y, s == 1u), select(v.z, v.w, s == 3u), s >= 2u);
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = wg.x + wg.y * wgs.x;
  if (group >= params.rows) { return; }
  let tiles = (params.m + 63u) / 64u;
  let tile = group % tiles;
  let m0 = tile * 64u;
  let h = (group / tiles) % params.heads;
  let number = group / tiles / params.heads;
  let slot = slotAt(number);
  if (slot.size == 0u) { return; }
  sumGates(slot, h, lane);
  var sums: array<vec4<f32>, 4>;
  let at_z = (number * params.heads + h) * params.n * params.m;
  for (var n0 = 0u; n0 < params.n; n0 += 16u) {
    fillA(slot, h, n0, lane);
    fillZ(at_z, n0, m0, lane);
    workgroupBarrier();
    product(&sums, min(16u, params.n - n0), local.x, local.y);
    workgroupBarrier();
  }
  for (var r = 0u; r < 4u; r++) { sums[r] *= params.edge_scale * edgeWeight(local.y + 16u * r); }
  if (params.with_dots == 1u) {
    for (var r = 0u; r < 4u; r++) {
      let i = local.y + 16u * r;
      var part = 0.0;
      for (var k = 0u; k < 4u; k++) {
        let m = m0 + local.x + 16u * k;
        if (i < slot.size && m < params.m) { part += sums[r][k] * f32(e[rowOf(slot.begin + i, params.heads_e, h) * params.m + m]); }
      }
      tile_a[i * 17u + local.x] = part;
    }
    workgroupBarrier();
    if (lane < slot.size) {
      var total = 0.0;
      for (var k = 0u; k < 16u; k++) { total += tile_a[lane * 17u + k]; }
      dots[params.at_dots + (tile * params.tokens + slot.begin + lane) * params.heads + h] = total;
    }
    workgroupBarrier();
  }
  var scores: array<vec4<f32>, 4>;
  for (var n0 = 0u; n0 < params.n; n0 += 16u) {
    fillA(slot, h, n0, lane);
    fillB(slot, h, n0, lane);
    workgroupBarrier();
    product(&scores, min(16u, params.n - n0), local.x, local.y);
    workgroupBarrier();
  }
  // 16 tokens j at a time: their scores, transposed, and their rows of c.
  for (var j0 = 0u; j0 < slot.size; j0 += 16u) {
    let j = j0 + local.x;
    for (var r = 0u; r < 4u; r++) {
      let i = local.y + 16u * r;
      let seen = select(j <= i, j >= i, params.reverse == 1u) && j < slot.size;
      var score = 0.0;
      if (seen) { score = pick(scores[r], j0 / 16u) * params.pair_scale * pairWeight(i, j); }
      tile_a[local.x * 65u + i] = score;
    }
    fillC(slot, h, j0, m0, lane);
    workgroupBarrier();
    product(&sums, min(16u, slot.size - j0), local.x, local.y);
    workgroupBarrier();
  }
  for (var r = 0u; r < 4u; r++) {
    let i = local.y + 16u * r;
    for (var k = 0u; k < 4u; k++) {
      let m = m0 + local.x + 16u * k;
      if (i < slot.size && m < params.m) { y[((slot.begin + i) * params.heads + h) * params.m + m] = R(sums[r][k]); }
    }
  }
}
