// y = strided view of x, made contiguous: permute (strides reordered), slice (offset), broadcast (stride 0).
// y[i0, i1, ...] = x[offset + sum_d i_d strides_d], up to 8 axes.
alias T = u32; // define: u32 | f16

struct Params {
  count: u32,
  rank: u32,
  offset: u32,
  shape: array<vec4<u32>, 2>,
  strides: array<vec4<u32>, 2>,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>; // [*]
@group(0) @binding(2) var<storage, read_write> y: array<T>; // [count], of shape `shape`

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  var rest = i;
  var at = params.offset;
  for (var k = params.rank; k > 0u; k--) {
    let axis = k - 1u;
    let size = params.shape[axis / 4u][axis % 4u];
    at += (rest % size) * params.strides[axis / 4u][axis % 4u];
    rest /= size;
  }
  y[i] = x[at];
}
