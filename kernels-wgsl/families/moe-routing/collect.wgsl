// y[t, :] = sum over j of w[t, j] rows[slots[t, j], :], in the order of j; a choice without a row adds nothing.
alias F = f32; // define: f32 | f16
override WEIGHTED: u32 = 0u;

struct Params { count: u32, d: u32, k: u32, rows: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<F>; // [N, D]
@group(0) @binding(2) var<storage, read> slots: array<i32>; // [T, k]
@group(0) @binding(3) var<storage, read> weights: array<f32>; // [T, k]
@group(0) @binding(4) var<storage, read_write> y: array<F>; // [T, D] = [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let base = i / params.d * params.k;
  let column = i % params.d;
  var total = 0.0;
  for (var c = base; c < base + params.k; c++) {
    let slot = slots[c];
    if (slot < 0 || slot >= i32(params.rows)) { continue; }
    let v = f32(rows[u32(slot) * params.d + column]);
    if (WEIGHTED == 1u) { total += weights[c] * v; } else { total += v; }
  }
  y[i] = F(total);
}
