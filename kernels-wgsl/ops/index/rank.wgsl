// Stable order of each row by counting: the rank of an element is the number of elements before it.
// indices[rank] = position. DESCENDING = 1 puts large elements first; equal ones keep their order either way. Keys make
// the order total: with NaN in it two elements would claim one rank and leave another unwritten.
alias T = f32; // define: f32 | f16 | i32
override DESCENDING: u32 = 0u;
override INTEGER: u32 = 0u;

struct Params { rows: u32, n: u32, tiles: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<T>; // [rows, n]
@group(0) @binding(2) var<storage, read_write> indices: array<i32>; // [rows, n]

// include shared/number.wgsl
var<workgroup> tile: array<u32, 64>;

fn keyOf(v: T) -> u32 {
  return select(sortKey(f32(v)), bitcast<u32>(i32(v)) ^ 0x80000000u, INTEGER == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = group.x + group.y * groups.x;
  let row = g / params.tiles;
  if (row >= params.rows) { return; }
  let base = row * params.n;
  let i = (g % params.tiles) * 64u + lane;
  let own = keyOf(x[base + min(i, params.n - 1u)]);
  var rank = 0u;
  for (var j0 = 0u; j0 < params.n; j0 += 64u) {
    tile[lane] = keyOf(x[base + min(j0 + lane, params.n - 1u)]);
    workgroupBarrier();
    for (var k = 0u; k < min(64u, params.n - j0); k++) {
      let other = tile[k];
      let ahead = select((other < own), (other > own), DESCENDING == 1u);
      rank += select(0u, 1u, ahead || (other == own && j0 + k < i));
    }
    workgroupBarrier();
  }
  if (i < params.n) { indices[base + rank] = i32(i); }
}
