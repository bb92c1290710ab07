// y = a b (+ bias), 64 x 64 tiles of y by 16 x 16 invocations of 4 x 4 elements each; sums in f32.
// ta: a is stored [K, M]; tb: b is stored [N, K]; with_bias: add bias[N]. A batch stride of 0 shares an operand.
alias F = f32; // define: f32 | f16

struct Params { m: u32, n: u32, k: u32, stride_a: u32, stride_b: u32, ta: u32, tb: u32, with_bias: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<F>; // [batch, M, K] or [batch, K, M]
@group(0) @binding(2) var<storage, read> b: array<F>; // [batch, K, N] or [batch, N, K]
@group(0) @binding(3) var<storage, read> bias: array<F>; // [N]
@group(0) @binding(4) var<storage, read_write> y: array<F>; // [batch, M, N]

const DEPTH = 16u;
var<workgroup> tile_a: array<f32, 1040>; // [DEPTH, 65]: one column of padding against bank conflicts
var<workgroup> tile_b: array<f32, 1040>;

fn loadA(at: u32, row: u32, col: u32) -> f32 {
  if (row >= params.m || col >= params.k) { return 0.0; }
  return f32(a[at + select(row * params.k + col, col * params.m + row, params.ta == 1u)]);
}

fn loadB(at: u32, row: u32, col: u32) -> f32 {
  if (row >= params.k || col >= params.n) { return 0.0; }
  return f32(b[at + select(row * params.n + col, col * params.k + row, params.tb == 1u)]);
}

fn fill(at_a: u32, at_b: u32, m0: u32, n0: u32, k0: u32, lane: u32) {
  for (var s = 0u; s < 4u; s++) {
    let e = s * 256u + lane;
    // Neighbouring lanes read neighbouring addresses in either layout.
    let ka = select(e % DEPTH, e / 64u, params.ta == 1u);
    let ma = select(e / DEPTH, e % 64u, params.ta == 1u);
    tile_a[ka * 65u + ma] = loadA(at_a, m0 + ma, k0 + ka);
    let kb = select(e / 64u, e % DEPTH, params.tb == 1u);
    let nb = select(e % 64u, e / DEPTH, params.tb == 1u);
    tile_b[kb * 65u + nb] = loadB(at_b, k0 + kb, n0 + nb);
  }
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let at_a = group.z * params.stride_a;
  let at_b = group.z * params.stride_b;
  let m0 = group.y * 64u;
  let n0 = group.x * 64u;
  var sums: array<vec4<f32>, 4>;
  for (var k0 = 0u; k0 < params.k; k0 += DEPTH) {
    fill(at_a, at_b, m0, n0, k0, lane);
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let at = k * 65u + local.x;
      let row = vec4(tile_b[at], tile_b[at + 16u], tile_b[at + 32u], tile_b[at + 48u]);
      for (var i = 0u; i < 4u; i++) { sums[i] += tile_a[k * 65u + local.y + 16u * i] * row; }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < 4u; i++) {
    let m = m0 + local.y + 16u * i;
    for (var j = 0u; j < 4u; j++) {
      let n = n0 + local.x + 16u * j;
      if (m < params.m && n < params.n) {
        var v = sums[i][j];
        if (params.with_bias == 1u) { v += f32(bias[n]); }
        y[(group.z * params.m + m) * params.n + n] = F(v);
      }
    }
  }
}
