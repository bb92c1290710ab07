// The digit of the k-th largest key of each row from how often each value of it occurs. FIRST = 1 only begins: no digit
// is known, k elements are wanted. One workgroup a row.
override FIRST: u32 = 0u;

struct Params { rows: u32, tiles: u32, k: u32, shift: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> counts: array<u32>; // [rows, tiles, 256]
@group(0) @binding(2) var<storage, read_write> found: array<u32>; // [rows, 2]: digits so far, elements still wanted

// include shared/count-scan.wgsl
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  if (FIRST == 1u) {
    if (lane == 0u) {
      found[2u * row] = 0u;
      found[2u * row + 1u] = params.k;
    }
    return;
  }
  let digit = 255u - lane;
  let wanted = found[2u * row + 1u];
  var own = 0u;
  for (var tile = 0u; tile < params.tiles; tile++) { own += counts[(row * params.tiles + tile) * 256u + digit]; }
  let before = scanCounts(own, lane);
  if (before < wanted && before + own >= wanted) {
    found[2u * row] |= digit << params.shift;
    found[2u * row + 1u] = wanted - before;
  }
}
