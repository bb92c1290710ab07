// delta[b, h, i] = sum_v dy y: what the softmax takes off each gradient of a probability.
alias F = f32; // define: f32 | f16

struct Params { count: u32, tq: u32, heads: u32, v: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<F>; // [B, Tq, H, V]
@group(0) @binding(2) var<storage, read> dy: array<F>; // [B, Tq, H, V]
@group(0) @binding(3) var<storage, read_write> delta: array<f32>; // [B, H, Tq] = [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = linearIndex(id, groups);
  if (index >= params.count) { return; }
  let i = index % params.tq;
  let h = (index / params.tq) % params.heads;
  let b = index / params.tq / params.heads;
  let at = ((b * params.tq + i) * params.heads + h) * params.v;
  var sum = 0.0;
  for (var c = 0u; c < params.v; c++) { sum += f32(y[at + c]) * f32(dy[at + c]); }
  delta[index] = sum;
}
