// y = condition != 0 ? a : b, element by element; a and b are moved bit by bit.
alias T = u32; // define: u32 | f16
alias M = f32; // define: f32 | f16 | i32 | u32

struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> condition: array<M>; // [count]
@group(0) @binding(2) var<storage, read> a: array<T>; // [count]
@group(0) @binding(3) var<storage, read> b: array<T>; // [count]
@group(0) @binding(4) var<storage, read_write> y: array<T>; // [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  y[i] = select(b[i], a[i], condition[i] != M(0));
}
