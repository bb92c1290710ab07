// For every chunk, head and lane of K: the state before the chunk times the adjoint after it, summed over V, and the
// bonus of the lane beside it. One workgroup a row, the sum by a tree.
override EXCLUSIVE: u32 = 0u;

struct Params { rows: u32, heads: u32, k: u32, v: u32, at: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(2) var<storage, read> states: array<f32>; // [slots, H, K, V] = [rows, V]
@group(0) @binding(3) var<storage, read> adjoints: array<f32>; // [slots, H, K, V]
@group(0) @binding(4) var<storage, read> bonus: array<f32>; // [H, K]
@group(0) @binding(5) var<storage, read_write> exchange: array<f32>; // [rows, 2] from `at`

// include shared/rows.wgsl
// include shared/slots.wgsl
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = rowIndex(group, groups);
  if (row >= params.rows) { return; }
  let width = params.heads * params.k;
  // Slots that hold nothing have no states.
  let end = select(0u, params.v, slotAt(row / width).size > 0u);
  var sum = 0.0;
  for (var x = lane; x < end; x += LANES) { sum += states[row * params.v + x] * adjoints[row * params.v + x]; }
  sum = treeSum(sum, lane);
  if (lane == 0u) {
    exchange[params.at + row * 2u] = sum;
    var u = 1.0;
    if (EXCLUSIVE == 1u) { u = bonus[row % width]; }
    exchange[params.at + row * 2u + 1u] = u;
  }
}
