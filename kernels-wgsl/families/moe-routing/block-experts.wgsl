// The expert of each block of rows by bisection, -1 behind the last region.
struct Params { count: u32, experts: u32, block: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> offsets: array<i32>; // [E + 1]
@group(0) @binding(2) var<storage, read_write> blocks: array<i32>; // [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let row = i32(i * params.block);
  var low = 0u;
  var high = params.experts;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (offsets[middle + 1u] <= row) { low = middle + 1u; } else { high = middle; }
  }
  blocks[i] = select(-1, i32(low), low < params.experts);
}
