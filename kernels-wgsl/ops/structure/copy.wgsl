// y[i] = x[offset + i]: brings a view to an offset that can be bound.
alias T = u32; // define: u32 | f16

struct Params { count: u32, offset: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>; // [offset + count]
@group(0) @binding(2) var<storage, read_write> y: array<T>; // [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  y[i] = x[params.offset + i];
}
