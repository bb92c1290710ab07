// How often each value of one digit (8 bits) occurs among the keys of a row that agree with the digits found so far, in
// pieces of 4096 elements. Every lane counts one value: the order in which lanes run does not matter.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, n: u32, tiles: u32, shift: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [rows, n]
@group(0) @binding(2) var<storage, read> found: array<u32>; // [rows, 2]: digits so far, elements still wanted
@group(0) @binding(3) var<storage, read_write> counts: array<u32>; // [rows, tiles, 256]

// include shared/number.wgsl
// include shared/digit-count.wgsl
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = group.x + group.y * groups.x;
  let row = g / params.tiles;
  if (row >= params.rows) { return; }
  let first = (g % params.tiles) * 4096u;
  let end = min(params.n, first + 4096u);
  let prefix = found[2u * row];
  var count = 0u;
  for (var j0 = first; j0 < end; j0 += 256u) {
    var digit = NO_DIGIT;
    if (j0 + lane < end) {
      let key = sortKey(f32(x[row * params.n + j0 + lane]));
      // Two shifts: one by 32 bits would not be defined.
      if (((key ^ prefix) >> params.shift) >> 8u == 0u) { digit = (key >> params.shift) & 255u; }
    }
    count += countDigits(digit, lane);
  }
  counts[g * 256u + lane] = count;
}
