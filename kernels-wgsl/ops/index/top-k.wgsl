// The k largest of each row in falling order, lower index first among equals: each round takes the best element that
// stands strictly after the one before it in that order. NaN counts as the largest. One workgroup a row.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, n: u32, k: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [rows, n]
@group(0) @binding(2) var<storage, read_write> values: array<F>; // [rows, k]
@group(0) @binding(3) var<storage, read_write> indices: array<i32>; // [rows, k]

// include shared/number.wgsl
const NONE = 0xffffffffu;
var<workgroup> best: array<u32, 64>;
var<workgroup> place: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  let base = row * params.n;
  var last = 0u;
  var at = NONE;
  for (var round = 0u; round < params.k; round++) {
    var v = 0u;
    var p = NONE;
    for (var j = lane; j < params.n; j += 64u) {
      let c = sortKey(f32(x[base + j]));
      let open = at == NONE || c < last || (c == last && j > at);
      if (open && (p == NONE || c > v)) {
        v = c;
        p = j;
      }
    }
    best[lane] = v;
    place[lane] = p;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
      if (lane < half) {
        let o = lane + half;
        let better = best[o] > best[lane] || (best[o] == best[lane] && place[o] < place[lane]);
        if (place[o] != NONE && (place[lane] == NONE || better)) {
          best[lane] = best[o];
          place[lane] = place[o];
        }
      }
      workgroupBarrier();
    }
    last = best[0];
    at = place[0];
    workgroupBarrier();
    if (lane == 0u) {
      values[row * params.k + round] = x[base + at];
      indices[row * params.k + round] = i32(at);
    }
  }
}
