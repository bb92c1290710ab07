// Third pass of a plan, one workgroup: rows kept of each expert, and where its region starts. With a capacity (CAPPED = 1)
// regions have that many rows; otherwise as many as the load, rounded up to the block.
override CAPPED: u32 = 0u;

struct Params { experts: u32, capacity: u32, block: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> load: array<i32>; // [E]
@group(0) @binding(2) var<storage, read_write> counts: array<i32>; // [E]
@group(0) @binding(3) var<storage, read_write> offsets: array<i32>; // [E + 1]

// include shared/prefix.wgsl
fn width(e: u32) -> u32 {
  if (CAPPED == 1u) { return params.capacity; }
  return (u32(load[e]) + params.block - 1u) / params.block * params.block;
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  let each = (params.experts + 255u) / 256u;
  let begin = min(lane * each, params.experts);
  let end = min(begin + each, params.experts);
  var own = 0u;
  for (var e = begin; e < end; e++) { own += width(e); }
  let sums = prefixSum(own, lane);
  var sum = sums.x;
  for (var e = begin; e < end; e++) {
    offsets[e] = i32(sum);
    counts[e] = select(load[e], min(load[e], i32(params.capacity)), CAPPED == 1u);
    sum += width(e);
  }
  if (lane == 0u) { offsets[params.experts] = i32(sums.y); }
}
