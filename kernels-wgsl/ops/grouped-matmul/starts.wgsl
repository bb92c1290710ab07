// Number of the first row tile of each group, from the offsets, by one workgroup. Two groups without a matrix are
// added: the rows before the first group and those after the last, whose products are zero.
struct Params { rows: u32, count: u32, height: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> offsets: array<i32>; // [count + 1]
@group(0) @binding(2) var<storage, read_write> starts: array<i32>; // [count + 3], the last: all tiles

var<workgroup> sums: array<u32, 256>;

// The first row of group g, groups counted from the one before the first.
fn bound(g: u32) -> u32 {
  if (g == 0u) { return 0u; }
  if (g > params.count + 1u) { return params.rows; }
  return u32(clamp(offsets[g - 1u], 0, i32(params.rows)));
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  let groups = params.count + 2u;
  var before = 0u;
  for (var g0 = 0u; g0 < groups; g0 += 256u) {
    let g = g0 + lane;
    var tiles = 0u;
    if (g < groups) {
      let begin = bound(g);
      tiles = (max(bound(g + 1u), begin) - begin + params.height - 1u) / params.height;
    }
    sums[lane] = tiles;
    workgroupBarrier();
    for (var step = 1u; step < 256u; step *= 2u) {
      var left = 0u;
      if (lane >= step) { left = sums[lane - step]; }
      workgroupBarrier();
      sums[lane] += left;
      workgroupBarrier();
    }
    if (g < groups) { starts[g] = i32(before + sums[lane] - tiles); }
    before += sums[255];
    workgroupBarrier();
  }
  if (lane == 0u) { starts[groups] = i32(before); }
}
