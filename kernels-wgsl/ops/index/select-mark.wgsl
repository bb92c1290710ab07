// Elements above the k-th largest key and equal to it, in pieces of 4096 elements of each row.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, n: u32, tiles: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [rows, n]
@group(0) @binding(2) var<storage, read> found: array<u32>; // [rows, 2]: the k-th largest key, equal ones wanted
@group(0) @binding(3) var<storage, read_write> marks: array<u32>; // [rows, 2, tiles]: above, equal

// include shared/number.wgsl
// include shared/count-scan.wgsl
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = group.x + group.y * groups.x;
  let row = g / params.tiles;
  if (row >= params.rows) { return; }
  let tile = g % params.tiles;
  let limit = found[2u * row];
  var count = 0u;
  for (var i = 0u; i < 16u; i++) {
    let j = tile * 4096u + i * 256u + lane;
    if (j < params.n) {
      let key = sortKey(f32(x[row * params.n + j]));
      // Both counts in one number: neither reaches 2^16.
      count += select(0u, 1u, key > limit) + select(0u, 65536u, key == limit);
    }
  }
  let before = scanCounts(count, lane);
  if (lane == 255u) {
    let all = before + count;
    marks[2u * row * params.tiles + tile] = all & 65535u;
    marks[(2u * row + 1u) * params.tiles + tile] = all >> 16u;
  }
}
