// y = a followed by b along the middle axis.
alias T = u32; // define: u32 | f16

struct Params { count: u32, na: u32, nb: u32, inner: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<T>; // [outer, na, inner]
@group(0) @binding(2) var<storage, read> b: array<T>; // [outer, nb, inner]
@group(0) @binding(3) var<storage, read_write> y: array<T>; // [outer, na + nb, inner]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let inner = i % params.inner;
  let row = i / params.inner;
  let n = params.na + params.nb;
  let j = row % n;
  let outer = row / n;
  if (j < params.na) {
    y[i] = a[(outer * params.na + j) * params.inner + inner];
  } else {
    y[i] = b[(outer * params.nb + j - params.na) * params.inner + inner];
  }
}
