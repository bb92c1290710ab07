// What the gradients of scores need of each row: its log-sum-exp, and delta = sum_v dy y - dlse, which the softmax takes
// off each gradient of a probability. A sink's gradient is minus its probability times delta, summed over rows later.
alias F = f32; // define: f32 | f16

struct Params { count: u32, tq: u32, heads: u32, v: u32, has_dy: u32, has_dlse: u32, has_sink: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> y: array<F>; // [B, Tq, H, V]
@group(0) @binding(2) var<storage, read> dy: array<F>; // [B, Tq, H, V]
@group(0) @binding(3) var<storage, read> lse: array<f32>; // [B, H, Tq] = [count]
@group(0) @binding(4) var<storage, read> dlse: array<f32>; // [B, H, Tq]
@group(0) @binding(5) var<storage, read> sink: array<f32>; // [H]
@group(0) @binding(6) var<storage, read_write> stats: array<vec2<f32>>; // [B, H, Tq]: lse, delta
@group(0) @binding(7) var<storage, read_write> dsink: array<f32>; // [B, H, Tq]

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
  if (params.has_dy == 1u) {
    for (var c = 0u; c < params.v; c++) { sum += f32(y[at + c]) * f32(dy[at + c]); }
  }
  if (params.has_dlse == 1u) { sum -= dlse[index]; }
  stats[index] = vec2(lse[index], sum);
  if (params.has_sink == 1u) { dsink[index] = -exp(min(sink[h] - lse[index], 0.0)) * sum; }
}
