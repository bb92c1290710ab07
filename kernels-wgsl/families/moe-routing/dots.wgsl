// dots[c] = x[c / k, :] . rows[slots[c], :], 0 for a choice without a row: gradients of weights. One workgroup a choice.
alias F = f32; // define: f32 | f16

struct Params { choices: u32, d: u32, k: u32, rows: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [T, D]
@group(0) @binding(2) var<storage, read> rows: array<F>; // [N, D]
@group(0) @binding(3) var<storage, read> slots: array<i32>; // [T, k] = [choices]
@group(0) @binding(4) var<storage, read_write> dots: array<f32>; // [T, k]

// include shared/rows.wgsl
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let c = rowIndex(group, groups);
  if (c >= params.choices) { return; }
  let slot = slots[c];
  var total = 0.0;
  if (slot >= 0 && slot < i32(params.rows)) {
    let from_ = c / params.k * params.d;
    let to = u32(slot) * params.d;
    for (var j = lane; j < params.d; j += LANES) { total += f32(x[from_ + j]) * f32(rows[to + j]); }
  }
  total = treeSum(total, lane);
  if (lane == 0u) { dots[c] = total; }
}
