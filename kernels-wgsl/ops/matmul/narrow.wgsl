// y = a b (+ bias) for few rows of a or few columns of b: one workgroup of 64 an element, the sum by a tree.
// Meaning of ta, tb, with_bias and the strides as in tiled.wgsl.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, m: u32, n: u32, k: u32, stride_a: u32, stride_b: u32, ta: u32, tb: u32, with_bias: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<F>; // [batch, M, K] or [batch, K, M]
@group(0) @binding(2) var<storage, read> b: array<F>; // [batch, K, N] or [batch, N, K]
@group(0) @binding(3) var<storage, read> bias: array<F>; // [N]
@group(0) @binding(4) var<storage, read_write> y: array<F>; // [batch, M, N] = [rows]

// include shared/rows.wgsl
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, groups);
  if (row >= params.rows) { return; }
  let n = row % params.n;
  let m = (row / params.n) % params.m;
  let batch = row / params.n / params.m;
  var total = 0.0;
  for (var k = lane; k < params.k; k += LANES) {
    let at_a = batch * params.stride_a + select(m * params.k + k, k * params.m + m, params.ta == 1u);
    let at_b = batch * params.stride_b + select(k * params.n + n, n * params.k + k, params.tb == 1u);
    total += f32(a[at_a]) * f32(b[at_b]);
  }
  total = treeSum(total, lane);
  if (lane == 0u) {
    if (params.with_bias == 1u) { total += f32(bias[n]); }
    y[row] = F(total);
  }
}
