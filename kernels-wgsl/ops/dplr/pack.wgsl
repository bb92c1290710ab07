// The rows of the recurrence side by side, one invocation a token, head and lane: e^decay, b, k, scale q, a; f32, padded.
alias F = f32; // define: f32 | f16

struct Params { count: u32, k: u32, quads: u32, scale: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<F>; // [tokens, H, K]
@group(0) @binding(2) var<storage, read> k: array<F>; // [tokens, H, K]
@group(0) @binding(3) var<storage, read> a: array<F>; // [tokens, H, K]
@group(0) @binding(4) var<storage, read> b: array<F>; // [tokens, H, K]
@group(0) @binding(5) var<storage, read> decay: array<f32>; // [tokens, H, K]
@group(0) @binding(6) var<storage, read_write> rows: array<f32>; // [tokens, H, 5, 4 quads]

// include shared/linear.wgsl
// include shared/decay.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let width = 4u * params.quads;
  let token = i / width;
  let n = i % width;
  let to = token * 5u * width + n;
  if (n >= params.k) {
    for (var m = 0u; m < 5u; m++) { rows[to + m * width] = 0.0; }
    return;
  }
  let at = token * params.k + n;
  rows[to] = decayOf(decay[at]);
  rows[to + width] = f32(b[at]);
  rows[to + 2u * width] = f32(k[at]);
  rows[to + 3u * width] = params.scale * f32(q[at]);
  rows[to + 4u * width] = f32(a[at]);
}
