// Keys and positions of the k largest elements of each row, in order of position: those above the k-th largest key, and
// of those equal to it the first ones. Workgroups take 4096 elements each.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, n: u32, tiles: u32, k: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [rows, n]
@group(0) @binding(2) var<storage, read> found: array<u32>; // [rows, 2]: the k-th largest key, equal ones wanted
@group(0) @binding(3) var<storage, read> marks: array<u32>; // [rows, 2, tiles]: above and equal before a piece
@group(0) @binding(4) var<storage, read_write> keys: array<u32>; // [rows, k]
@group(0) @binding(5) var<storage, read_write> places: array<i32>; // [rows, k]

// include shared/number.wgsl
// include shared/count-scan.wgsl
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = group.x + group.y * groups.x;
  let row = g / params.tiles;
  if (row >= params.rows) { return; }
  let tile = g % params.tiles;
  let limit = found[2u * row];
  let wanted = found[2u * row + 1u];
  var above = marks[2u * row * params.tiles + tile];
  var equal = marks[(2u * row + 1u) * params.tiles + tile];
  for (var i = 0u; i < 16u; i++) {
    let j = tile * 4096u + i * 256u + lane;
    var key = 0u;
    if (j < params.n) { key = sortKey(f32(x[row * params.n + j])); }
    let over = j < params.n && key > limit;
    let same = j < params.n && key == limit;
    // Both counts in one number: neither reaches 2^16.
    let before = scanCounts(select(0u, 1u, over) + select(0u, 65536u, same), lane);
    let overs = above + (before & 65535u);
    let sames = equal + (before >> 16u);
    if (over || (same && sames < wanted)) {
      let to = row * params.k + overs + min(sames, wanted);
      keys[to] = key;
      places[to] = i32(j);
    }
    let all = running[255];
    above += all & 65535u;
    equal += all >> 16u;
  }
}
