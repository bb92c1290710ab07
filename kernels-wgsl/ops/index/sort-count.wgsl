// How often each digit (8 bits, large ones first) of the keys occurs in pieces of 256 keys of each row.
struct Params { rows: u32, n: u32, tiles: u32, shift: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> keys: array<u32>; // [rows, n]
@group(0) @binding(2) var<storage, read_write> counts: array<u32>; // [rows, 256, tiles]

// include shared/digit-count.wgsl
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = group.x + group.y * groups.x;
  let row = g / params.tiles;
  if (row >= params.rows) { return; }
  let tile = g % params.tiles;
  let j = tile * 256u + lane;
  var digit = NO_DIGIT;
  if (j < params.n) { digit = 255u - ((keys[row * params.n + j] >> params.shift) & 255u); }
  counts[(row * 256u + lane) * params.tiles + tile] = countDigits(digit, lane);
}
