// rows[r, :] = w[c] x[c / k, :] with c = source[r], 0 for an empty row; weights are 1 unless WEIGHTED = 1.
alias F = f32; // define: f32 | f16
override WEIGHTED: u32 = 0u;

struct Params { count: u32, d: u32, k: u32, choices: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [T, D]
@group(0) @binding(2) var<storage, read> source: array<i32>; // [N]
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [T, k] = [choices]
@group(0) @binding(4) var<storage, read_write> rows: array<F>; // [N, D] = [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let c = source[i / params.d];
  if (c < 0 || c >= i32(params.choices)) {
    rows[i] = F(0.0);
    return;
  }
  let v = x[u32(c) / params.k * params.d + i % params.d];
  if (WEIGHTED == 1u) { rows[i] = F(weights[c] * f32(v)); } else { rows[i] = v; }
}
