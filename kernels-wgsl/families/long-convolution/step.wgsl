// One output from a cache of inputs: y = h_0 u + sum_s h_s past[W - 1 - s]. A workgroup takes 16 channels of a sequence,
// 16 lanes share the taps of a channel and a tree adds their sums.
alias F = f32; // define: f32 | f16
override PAST: u32 = 0u;

struct Params { blocks: u32, count: u32, d: u32, taps: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<F>; // [B, 1, D]
@group(0) @binding(2) var<storage, read> past: array<f32>; // [B, taps - 1, D]
@group(0) @binding(3) var<storage, read> taps: array<f32>; // [taps, D]
@group(0) @binding(4) var<storage, read_write> y: array<F>; // [B, 1, D]

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = wg.x + wg.y * wgs.x;
  if (i >= params.count) { return; }
  let row = i / params.blocks;
  let c = (i % params.blocks) * 16u + lane % 16u;
  let before = params.taps - 1u;
  var sum = 0.0;
  if (c < params.d && PAST == 1u) {
    for (var s = 1u + lane / 16u; s < params.taps; s += 16u) {
      sum += taps[s * params.d + c] * past[(row * before + before - s) * params.d + c];
    }
  }
  sums[lane] = sum;
  for (var half = 128u; half >= 16u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { sums[lane] += sums[lane + half]; }
  }
  if (lane < 16u && c < params.d) { y[row * params.d + c] = F(sums[lane] + taps[c] * f32(u[row * params.d + c])); }
}
