// First phase over chunks, one workgroup a 64 x 64 tile: what a chunk adds to the state behind it,
// sum_j e^{g after j} a_j b_j^T with a = k, b = v; reverse = 1: to the gradient of the state before it,
// scale sum_i e^{g to i} a_i b_i^T with a = q, b = dy. And the chunk's sum of gates.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, heads: u32, groups: u32, k: u32, v: u32, at_gates: u32, reverse: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<F>; // [B, T, G, K]
@group(0) @binding(2) var<storage, read> b: array<F>; // [B, T, H, V]
@group(0) @binding(3) var<storage, read> table: array<u32>; // [*], see shared/scalar-decay
@group(0) @binding(4) var<storage, read_write> chunks: array<f32>; // [slots, H, K, V]
@group(0) @binding(5) var<storage, read_write> totals: array<f32>; // [slots, H]

// include shared/scalar-decay.wgsl
var<workgroup> tile_a: array<f32, 1040>; // [16 tokens, 65]
var<workgroup> tile_b: array<f32, 1040>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = wg.x + wg.y * wgs.x;
  if (group >= params.rows) { return; }
  let across = (params.v + 63u) / 64u;
  let tiles = across * ((params.k + 63u) / 64u);
  let h = (group / tiles) % params.heads;
  let number = group / tiles / params.heads;
  let slot = slotAt(number);
  if (slot.size == 0u) { return; }
  let k0 = (group % tiles) / across * 64u;
  let v0 = (group % across) * 64u;
  let g = h * params.groups / params.heads;
  sumGates(slot, h, lane);
  if (lane == 0u && group % tiles == 0u) { totals[number * params.heads + h] = blocks(0u, 4u); }
  var sums: array<vec4<f32>, 4>;
  for (var j0 = 0u; j0 < slot.size; j0 += 16u) {
    for (var s = 0u; s < 4u; s++) {
      let j = j0 + s * 4u + lane / 64u;
      let column = lane % 64u;
      var left = 0.0;
      var right = 0.0;
      if (j < slot.size) {
        var gate = 0.0;
        if (params.reverse == 1u) { gate = toToken(j); } else { gate = afterToken(j); }
        let token = slot.begin + j;
        if (k0 + column < params.k) { left = f32(a[(token * params.groups + g) * params.k + k0 + column]) * exp(gate); }
        if (v0 + column < params.v) { right = f32(b[(token * params.heads + h) * params.v + v0 + column]); }
      }
      tile_a[(j - j0) * 65u + column] = left;
      tile_b[(j - j0) * 65u + column] = right;
    }
    workgroupBarrier();
    // The bound is no constant on purpose: unrolling costs software drivers seconds.
    let depth = min(16u, slot.size - j0);
    for (var j = 0u; j < depth; j++) {
      let at = j * 65u + local.x;
      let row = vec4(tile_b[at], tile_b[at + 16u], tile_b[at + 32u], tile_b[at + 48u]);
      for (var i = 0u; i < 4u; i++) { sums[i] += tile_a[j * 65u + local.y + 16u * i] * row; }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let key = k0 + local.y + 16u * i;
    for (var c = 0u; c < 4u; c++) {
      let column = v0 + local.x + 16u * c;
      if (key < params.k && column < params.v) {
        chunks[((number * params.heads + h) * params.k + key) * params.v + column] = sums[i][c] * params.scale;
      }
    }
  }
}
