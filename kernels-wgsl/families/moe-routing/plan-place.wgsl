// Last pass of a plan, one invocation a choice: its position among the choices of its expert is that in its block plus
// those of the blocks before; below the rows kept it has a slot, and the row knows its choice.
struct Params { n: u32, tokens: u32, k: u32, experts: u32, per: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> experts: array<i32>; // [T, k]
@group(0) @binding(2) var<storage, read> order: array<i32>; // [T]
@group(0) @binding(3) var<storage, read> histogram: array<u32>; // [blocks, E]
@group(0) @binding(4) var<storage, read> offsets: array<i32>; // [E + 1]
@group(0) @binding(5) var<storage, read> counts: array<i32>; // [E]
@group(0) @binding(6) var<storage, read_write> slots: array<i32>; // [T, k]
@group(0) @binding(7) var<storage, read_write> source: array<i32>; // [N]

// include shared/choices.wgsl
// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let q = linearIndex(id, groups);
  if (q >= params.n) { return; }
  let c = choiceAt(q);
  let e = experts[c];
  if (e < 0 || e >= i32(params.experts)) {
    slots[c] = -1;
    return;
  }
  let position = i32(histogram[q / params.per * params.experts + u32(e)]) + slots[c];
  if (position >= counts[e]) {
    slots[c] = -1;
    return;
  }
  let row = offsets[e] + position;
  slots[c] = row;
  source[row] = i32(c);
}
