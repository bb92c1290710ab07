// out = y silu(z), or y in another element type where there is no gate.
alias F = f32; // define: f32 | f16
override GATED: u32 = 0u;

struct Params { count: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<f32>; // [tokens, D] = [count]
@group(0) @binding(2) var<storage, read> z: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read_write> gated: array<F>; // [tokens, D]

// include shared/linear.wgsl
// include shared/math.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  var v = y[i];
  if (GATED == 1u) { v *= silu(f32(z[i])); }
  gated[i] = F(v);
}
