// One invocation reduces a chunk of the middle axis, neighbours on neighbouring columns. OP and scale as in rows.wgsl.
alias F = f32; // define: f32 | f16
alias O = f32; // define: f32 | f16
override OP: u32 = 0u;

struct Params { rows: u32, n: u32, inner: u32, chunks: u32, chunk: u32, scale: f32, one: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [outer, n, inner]
@group(0) @binding(2) var<storage, read_write> y: array<O>; // [outer, chunks, inner] = [rows]

// include shared/linear.wgsl
// include shared/exact-sum.wgsl
// include shared/number.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let row = linearIndex(id, groups);
  if (row >= params.rows) { return; }
  let inner = row % params.inner;
  let c = (row / params.inner) % params.chunks;
  let outer = row / params.inner / params.chunks;
  let base = outer * params.n * params.inner + inner;
  let first = c * params.chunk;
  let last = min(first + params.chunk, params.n);
  var highest = -3.0e38;
  if (OP >= 2u) {
    for (var j = first; j < last; j++) { highest = larger(highest, f32(x[base + j * params.inner])); }
  }
  var sum = vec2(0.0, 0.0);
  if (OP != 2u) {
    for (var j = first; j < last; j++) {
      let v = f32(x[base + j * params.inner]);
      if (OP == 0u) { sum = exactAdd(sum, v, params.one); } else if (OP == 1u) { sum = exactAdd(sum, v * v, params.one); } else { sum = exactAdd(sum, exp(v - highest), params.one); }
    }
  }
  let total = sum.x + sum.y;
  if (OP == 2u) { y[row] = O(highest); } else if (OP == 3u) { y[row] = O(highest + log(total)); } else { y[row] = O(total * params.scale); }
}
