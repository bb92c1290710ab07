// One digit of eight bits of the priorities in the order so far, large priorities first: the key of a counting sort.
override ORDERED: u32 = 0u;

struct Params { count: u32, shift: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> priority: array<f32>; // [T] = [count]
@group(0) @binding(2) var<storage, read> order: array<i32>; // [T]
@group(0) @binding(3) var<storage, read_write> digits: array<i32>; // [T]

// include shared/linear.wgsl
// include shared/number.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  var t = i;
  if (ORDERED == 1u) { t = u32(order[i]); }
  digits[i] = i32((~sortKey(priority[t]) >> params.shift) & 255u);
}
