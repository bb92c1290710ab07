// Second pass of a plan: one workgroup an expert. The histogram becomes the number of its choices in the blocks before;
// load = all of them.
struct Params { experts: u32, blocks: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> histogram: array<u32>; // [blocks, E]
@group(0) @binding(2) var<storage, read_write> load: array<i32>; // [E]

// include shared/prefix.wgsl
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let e = group.x + group.y * groups.x;
  if (e >= params.experts) { return; }
  let each = (params.blocks + 255u) / 256u;
  let begin = min(lane * each, params.blocks);
  let end = min(begin + each, params.blocks);
  var own = 0u;
  for (var b = begin; b < end; b++) { own += histogram[b * params.experts + e]; }
  let sums = prefixSum(own, lane);
  var sum = sums.x;
  for (var b = begin; b < end; b++) {
    let here = histogram[b * params.experts + e];
    histogram[b * params.experts + e] = sum;
    sum += here;
  }
  if (lane == 0u) { load[e] = i32(sums.y); }
}
