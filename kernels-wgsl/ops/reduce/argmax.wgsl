// y = index of the largest element along the middle axis; the lowest index wins and NaN counts as the largest.
alias F = f32; // define: f32 | f16

struct Params { rows: u32, n: u32, inner: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [outer, n, inner]
@group(0) @binding(2) var<storage, read_write> y: array<i32>; // [outer, inner] = [rows]

// include shared/number.wgsl
var<workgroup> values: array<u32, 64>;
var<workgroup> indices: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = group.x + group.y * groups.x;
  if (row >= params.rows) { return; }
  let base = (row / params.inner) * params.n * params.inner + row % params.inner;
  var best = 0u;
  var where_ = 0xffffffffu;
  for (var j = lane; j < params.n; j += 64u) {
    let v = sortKey(f32(x[base + j * params.inner]));
    if (where_ == 0xffffffffu || v > best) {
      best = v;
      where_ = j;
    }
  }
  values[lane] = best;
  indices[lane] = where_;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (lane < half) {
      let other = lane + half;
      let present = indices[other] != 0xffffffffu;
      if (present && (values[other] > values[lane] || (values[other] == values[lane] && indices[other] < indices[lane]))) {
        values[lane] = values[other];
        indices[lane] = indices[other];
      }
    }
    workgroupBarrier();
  }
  if (lane == 0u) { y[row] = i32(indices[0]); }
}
