// y[i, :] = table[ids[i], :]; an id outside the table is clamped into it.
alias T = u32; // define: u32 | f16

struct Params { count: u32, d: u32, rows: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> table: array<T>; // [V, D]
@group(0) @binding(2) var<storage, read> ids: array<i32>; // [*]
@group(0) @binding(3) var<storage, read_write> y: array<T>; // [*, D] = [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  y[i] = table[u32(clamp(ids[i / params.d], 0, i32(params.rows) - 1)) * params.d + i % params.d];
}
