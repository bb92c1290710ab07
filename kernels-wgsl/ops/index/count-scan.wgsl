// Each count becomes the sum of those before it in its row. One workgroup a row, four counts an invocation at a time.
struct Params { rows: u32, n: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>; // [rows, n]

// include shared/count-scan.wgsl
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  let base = row * params.n;
  var before = 0u;
  for (var first = 0u; first < params.n; first += 1024u) {
    let origin = first + 4u * lane;
    var own: array<u32, 4>;
    var total = 0u;
    for (var i = 0u; i < 4u; i++) {
      if (origin + i < params.n) { own[i] = counts[base + origin + i]; }
      total += own[i];
    }
    var sum = before + scanCounts(total, lane);
    for (var i = 0u; i < 4u; i++) {
      if (origin + i < params.n) { counts[base + origin + i] = sum; }
      sum += own[i];
    }
    before += running[255];
  }
}
