// The first rows of every sequence of x become rows [at, at + rows) of y, which keeps its others: a cache grows in place.
alias T = u32; // define: u32 | f16

struct Params { count: u32, rows: u32, held: u32, room: u32, inner: u32, at: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>; // [outer, held, inner]
@group(0) @binding(2) var<storage, read_write> y: array<T>; // [outer, room, inner]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let inner = i % params.inner;
  let row = (i / params.inner) % params.rows;
  let outer = i / params.inner / params.rows;
  y[(outer * params.room + params.at + row) * params.inner + inner] = x[(outer * params.held + row) * params.inner + inner];
}
