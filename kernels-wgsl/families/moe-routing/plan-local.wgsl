// First pass of a plan: one workgroup a block of choices in their order. slots = choices of the same expert before it in
// the block; histogram = choices of each expert in the block. Tile by tile: ranks inside a tile by comparison, one
// writer an expert between tiles, hence no atomics and always the same numbers.
struct Params { n: u32, tokens: u32, k: u32, experts: u32, per: u32, blocks: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> experts: array<i32>; // [T, k]
@group(0) @binding(2) var<storage, read> order: array<i32>; // [T]
@group(0) @binding(3) var<storage, read_write> slots: array<i32>; // [T, k]
@group(0) @binding(4) var<storage, read_write> histogram: array<u32>; // [blocks, E]

// include shared/choices.wgsl
var<workgroup> tile: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = group.x + group.y * groups.x;
  if (block >= params.blocks) { return; }
  let base = block * params.experts;
  for (var e = lane; e < params.experts; e += 256u) { histogram[base + e] = 0u; }
  storageBarrier();
  let end = min((block + 1u) * params.per, params.n);
  for (var q0 = block * params.per; q0 < end; q0 += 256u) {
    let c = choiceAt(min(q0 + lane, end - 1u));
    let chosen = experts[c];
    let counts = q0 + lane < end && chosen >= 0 && chosen < i32(params.experts);
    let e = select(NONE, u32(chosen), counts);
    tile[lane] = e;
    workgroupBarrier();
    var before = 0u;
    var after = 0u;
    for (var j = 0u; j < 256u; j++) {
      let same = tile[j] == e;
      before += select(0u, 1u, same && j < lane);
      after += select(0u, 1u, same && j > lane);
    }
    if (counts) {
      before += histogram[base + e];
      slots[c] = i32(before);
    }
    workgroupBarrier();
    storageBarrier();
    if (counts && after == 0u) { histogram[base + e] = before + 1u; }
    storageBarrier();
  }
}
