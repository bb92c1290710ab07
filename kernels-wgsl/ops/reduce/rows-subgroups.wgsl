enable subgroups;
// One workgroup reduces a chunk of the middle axis. OP: 0 sum, 1 sum of squares, 2 maximum, 3 logsumexp.
// Subgroups join pairs of sum and error. The result is multiplied by `scale` (1 / n for the mean).
alias F = f32; // define: f32 | f16
alias O = f32; // define: f32 | f16
override OP: u32 = 0u;

struct Params { rows: u32, n: u32, inner: u32, chunks: u32, chunk: u32, scale: f32, one: f32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [outer, n, inner]
@group(0) @binding(2) var<storage, read_write> y: array<O>; // [outer, chunks, inner] = [rows]

// include shared/rows-subgroups.wgsl
// include shared/exact-sum.wgsl
var<workgroup> pairs: array<vec2<f32>, 64>;

// The pair of a subgroup, in the invocation that leads: shuffled as a pair, so that no rounding error is lost.
fn joinedPair(value: vec2<f32>) -> vec2<f32> {
  var sum = value;
  for (var reach = 1u; reach < LANES; reach *= 2u) {
    let other = subgroupShuffleDown(sum, reach);
    if (own.id + reach < own.span) { sum = exactJoin(sum, other); }
  }
  return sum;
}

fn exactJoin(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
  let joined = exactAdd(a, b.x, params.one);
  return vec2(joined.x, joined.y + b.y);
}

fn exactTree(sum: vec2<f32>, lane: u32) -> vec2<f32> {
  pairs[lane] = select(vec2(0.0, 0.0), joinedPair(sum), leads());
  workgroupBarrier();
  var total = vec2(0.0, 0.0);
  for (var i = own.id % own.span; i < LANES; i += own.span) { total = exactJoin(total, pairs[i]); }
  let first = subgroupBroadcastFirst(joinedPair(total));
  return select(first, total, own.span == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) id: u32) {
  own = Own(id, spanOf(id));
  let row = rowIndex(group, groups);
  if (row >= params.rows) { return; }
  let inner = row % params.inner;
  let c = (row / params.inner) % params.chunks;
  let outer = row / params.inner / params.chunks;
  let base = outer * params.n * params.inner + inner;
  let first = c * params.chunk;
  let last = min(first + params.chunk, params.n);
  var highest = LOWEST;
  if (OP >= 2u) {
    for (var j = first + lane; j < last; j += LANES) { highest = larger(highest, f32(x[base + j * params.inner])); }
    highest = treeMax(highest, lane);
  }
  var sum = vec2(0.0, 0.0);
  if (OP != 2u) {
    for (var j = first + lane; j < last; j += LANES) {
      let v = f32(x[base + j * params.inner]);
      if (OP == 0u) { sum = exactAdd(sum, v, params.one); } else if (OP == 1u) { sum = exactAdd(sum, v * v, params.one); } else { sum = exactAdd(sum, exp(v - highest), params.one); }
    }
    sum = exactTree(sum, lane);
  }
  let total = sum.x + sum.y;
  if (lane == 0u) {
    if (OP == 2u) { y[row] = O(highest); } else if (OP == 3u) { y[row] = O(highest + log(total)); } else { y[row] = O(total * params.scale); }
  }
}
