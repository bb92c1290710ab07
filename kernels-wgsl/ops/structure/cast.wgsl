// y = x in another element type; floats to integers are cut towards zero and clamped to the range.
alias S = f32; // define: f32 | f16 | i32 | u32
alias T = f32; // define: f32 | f16 | i32 | u32

struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<S>; // [count]
@group(0) @binding(2) var<storage, read_write> y: array<T>; // [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  y[i] = T(x[i]);
}
