// Running sums along the middle axis; REVERSE = 1 runs from the end. One workgroup a row, 64 elements at a time.
override REVERSE: u32 = 0u;

struct Params { rows: u32, n: u32, inner: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [outer, n, inner]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [outer, n, inner]

var<workgroup> tile: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  let base = (row / params.inner) * params.n * params.inner + row % params.inner;
  var carry = 0.0;
  for (var j0 = 0u; j0 < params.n; j0 += 64u) {
    let j = j0 + lane;
    let at = base + select(j, params.n - 1u - min(j, params.n - 1u), REVERSE == 1u) * params.inner;
    var v = 0.0;
    if (j < params.n) { v = x[at]; }
    tile[lane] = v;
    workgroupBarrier();
    for (var step = 1u; step < 64u; step *= 2u) {
      var before = 0.0;
      if (lane >= step) { before = tile[lane - step]; }
      workgroupBarrier();
      tile[lane] += before;
      workgroupBarrier();
    }
    if (j < params.n) { y[at] = carry + tile[lane]; }
    carry += tile[63];
    workgroupBarrier();
  }
}
