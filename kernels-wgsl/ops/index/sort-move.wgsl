// Keys and positions of each row to their places in the order of one digit (8 bits, large ones first); equal digits keep
// their order: the rank in a piece of 256 is the number of equal digits before it.
struct Params { rows: u32, n: u32, tiles: u32, shift: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> counts: array<u32>; // [rows, 256, tiles]: keys before those of a digit and piece
@group(0) @binding(2) var<storage, read> keys: array<u32>; // [rows, n]
@group(0) @binding(3) var<storage, read> places: array<i32>; // [rows, n]
@group(0) @binding(4) var<storage, read_write> moved_keys: array<u32>; // [rows, n]
@group(0) @binding(5) var<storage, read_write> moved_places: array<i32>; // [rows, n]

var<workgroup> digits: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let g = group.x + group.y * groups.x;
  let row = g / params.tiles;
  if (row >= params.rows) { return; }
  let tile = g % params.tiles;
  let j = tile * 256u + lane;
  let origin = row * params.n + min(j, params.n - 1u);
  let key = keys[origin];
  let digit = 255u - ((key >> params.shift) & 255u);
  digits[lane] = digit;
  workgroupBarrier();
  if (j >= params.n) { return; }
  var rank = 0u;
  for (var i = 0u; i < lane; i++) { rank += select(0u, 1u, digits[i] == digit); }
  let to = row * params.n + counts[(row * 256u + digit) * params.tiles + tile] + rank;
  moved_keys[to] = key;
  moved_places[to] = places[origin];
}
