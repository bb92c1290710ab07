// y[indices_j] = values_j row by row, after CLEAR = 1 has made every element zero; positions outside are left out.
alias T = u32; // define: u32 | f16
override CLEAR: u32 = 0u;

struct Params { count: u32, n: u32, k: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<T>; // [rows, k] = [count]
@group(0) @binding(2) var<storage, read> indices: array<i32>; // [rows, k]
@group(0) @binding(3) var<storage, read_write> y: array<T>; // [rows, n], [count] with CLEAR

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  if (CLEAR == 1u) {
    y[i] = T(0);
    return;
  }
  let at = indices[i];
  if (at >= 0 && at < i32(params.n)) { y[i / params.k * params.n + u32(at)] = values[i]; }
}
