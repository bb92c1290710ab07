// Partial sums over chunks of time: dweight[b, c, d, k] = sum_t dy[b, t, d] e[b, t + k, d].
override STATE: u32 = 0u;

struct Params { count: u32, time: u32, d: u32, width: u32, chunks: u32, chunk: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [B, T, D]
@group(0) @binding(2) var<storage, read> state: array<f32>; // [B, D, W-1]
@group(0) @binding(3) var<storage, read> dy: array<f32>; // [B, T, D]
@group(0) @binding(4) var<storage, read_write> partial: array<f32>; // [B, chunks, W, D] = [count]

// include shared/linear.wgsl
// include shared/conv.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let k = (i / params.d) % params.width;
  let c = (i / params.d / params.width) % params.chunks;
  let b = i / params.d / params.width / params.chunks;
  var total = 0.0;
  let last = min((c + 1u) * params.chunk, params.time);
  for (var t = c * params.chunk; t < last; t++) { total += dy[(b * params.time + t) * params.d + d] * extended(b, t + k, d); }
  partial[i] = total;
}
