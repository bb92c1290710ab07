// y_e = sum of a_i^T b_i over the rows i of group e, in order of i: 64 x 64 tiles by 16 x 16 invocations; sums in f32.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, m: u32, n: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> offsets: array<i32>; // [E + 1]
@group(0) @binding(2) var<storage, read> a: array<F>; // [rows, M]
@group(0) @binding(3) var<storage, read> b: array<F>; // [rows, N]
@group(0) @binding(4) var<storage, read_write> y: array<F>; // [E, M, N]

const DEPTH = 16u;
var<workgroup> tile_a: array<f32, 1040>; // [DEPTH, 65]: one column of padding against bank conflicts
var<workgroup> tile_b: array<f32, 1040>;

fn bound(e: u32) -> u32 {
  return u32(clamp(offsets[e], 0, i32(params.rows)));
}

fn fill(m0: u32, n0: u32, r0: u32, end: u32, lane: u32) {
  for (var s = 0u; s < 4u; s++) {
    let e = s * 256u + lane;
    let r = r0 + e / 64u;
    let m = m0 + e % 64u;
    let n = n0 + e % 64u;
    var left = 0.0;
    var right = 0.0;
    if (r < end && m < params.m) { left = f32(a[r * params.m + m]); }
    if (r < end && n < params.n) { right = f32(b[r * params.n + n]); }
    tile_a[(e / 64u) * 65u + e % 64u] = left;
    tile_b[(e / 64u) * 65u + e % 64u] = right;
  }
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let m0 = group.y * 64u;
  let n0 = group.x * 64u;
  let end = bound(group.z + 1u);
  var sums: array<vec4<f32>, 4>;
  for (var r0 = bound(group.z); r0 < end; r0 += DEPTH) {
    fill(m0, n0, r0, end, lane);
    workgroupBarrier();
    for (var r = 0u; r < DEPTH; r++) {
      let at = r * 65u + local.x;
      let row = vec4(tile_b[at], tile_b[at + 16u], tile_b[at + 32u], tile_b[at + 48u]);
      for (var i = 0u; i < 4u; i++) { sums[i] += tile_a[r * 65u + local.y + 16u * i] * row; }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let m = m0 + local.y + 16u * i;
    for (var j = 0u; j < 4u; j++) {
      let n = n0 + local.x + 16u * j;
      if (m < params.m && n < params.n) { y[(group.z * params.m + m) * params.n + n] = F(sums[i][j]); }
    }
  }
}
