// y_j = x[indices_j] row by row; positions are kept inside the row.
alias T = u32; // define: u32 | f16

struct Params { count: u32, n: u32, k: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>; // [rows, n]
@group(0) @binding(2) var<storage, read> indices: array<i32>; // [rows, k]
@group(0) @binding(3) var<storage, read_write> y: array<T>; // [rows, k] = [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  y[i] = x[i / params.k * params.n + u32(clamp(indices[i], 0, i32(params.n) - 1))];
}
