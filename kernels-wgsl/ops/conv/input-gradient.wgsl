// de[b, m, d] = sum_k weight[d, k] dy[b, m - k, d] (+ dfinal[b, d, m - T] for m >= T); the first W-1 are dstate,
// the rest dx. DY, DFINAL say which output gradients are there, STATE whether dstate is wanted.
override DY: u32 = 1u;
override DFINAL: u32 = 0u;
override STATE: u32 = 0u;

struct Params { count: u32, time: u32, d: u32, width: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weight: array<f32>; // [D, W]
@group(0) @binding(2) var<storage, read> dy: array<f32>; // [B, T, D]
@group(0) @binding(3) var<storage, read> dfinal: array<f32>; // [B, D, W-1]
@group(0) @binding(4) var<storage, read_write> dx: array<f32>; // [B, T, D]
@group(0) @binding(5) var<storage, read_write> dstate: array<f32>; // [B, D, W-1]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let w1 = params.width - 1u;
  let d = i % params.d;
  let m = (i / params.d) % (params.time + w1);
  let b = i / params.d / (params.time + w1);
  var total = 0.0;
  if (DY == 1u) {
    for (var k = 0u; k < params.width; k++) {
      if (k <= m && m - k < params.time) { total += weight[d * params.width + k] * dy[(b * params.time + m - k) * params.d + d]; }
    }
  }
  if (DFINAL == 1u && m >= params.time) { total += dfinal[(b * params.d + d) * w1 + m - params.time]; }
  if (m >= w1) {
    dx[(b * params.time + m - w1) * params.d + d] = total;
  } else if (STATE == 1u) {
    dstate[(b * params.d + d) * w1 + m] = total;
  }
}
