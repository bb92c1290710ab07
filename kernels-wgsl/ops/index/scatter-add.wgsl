// y[r, :] = sum of updates[i, :] over i with ids[i] = r, in the order of i: ids come sorted, so that each row is one
// run found by bisection; the same bits on every run.
alias F = f32; // define: f32 | f16

struct Params { count: u32, n: u32, d: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> updates: array<F>; // [n, D]
@group(0) @binding(2) var<storage, read> ids: array<i32>; // [n]
@group(0) @binding(3) var<storage, read> order: array<i32>; // [n], stable order of ids
@group(0) @binding(4) var<storage, read_write> y: array<F>; // [rows, D] = [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let row = i32(i / params.d);
  let column = i % params.d;
  var low = 0u;
  var high = params.n;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (ids[u32(order[middle])] < row) { low = middle + 1u; } else { high = middle; }
  }
  var total = 0.0;
  for (var j = low; j < params.n; j++) {
    let from_ = u32(order[j]);
    if (ids[from_] != row) { break; }
    total += f32(updates[from_ * params.d + column]);
  }
  y[i] = F(total);
}
