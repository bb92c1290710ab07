// Which pairs are seen (1 or 0) and how far apart they are, for the naive form; an invocation an element of `seen`.
struct Params {
  count: u32, tq: u32, tk: u32, mask_heads: u32, heads: u32, left: i32, right: i32, block: u32, mask_at: u32,
  mask_batch: u32, mask_head: u32, mask_row: u32, alibi_at: u32, sink_at: u32, scale: f32, softcap: f32, tiles: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> plan: array<i32>; // [12 tiles + tables], see shared/attention
@group(0) @binding(2) var<storage, read_write> seen: array<f32>; // [B, mask_heads, Tq, Tk]
@group(0) @binding(3) var<storage, read_write> distances: array<f32>; // [B, 1, Tq, Tk]

// include shared/attention.wgsl
// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let index = linearIndex(id, groups);
  if (index >= params.count) { return; }
  let column = i32(index % params.tk);
  let row = i32((index / params.tk) % params.tq);
  let h = (index / params.tk / params.tq) % params.mask_heads;
  let b = index / params.tk / params.tq / params.mask_heads;
  var open = false;
  var distance = 0.0;
  for (var n = 0u; n < params.tiles; n++) {
    let t = tileAt(n);
    let i = row - t.q_base;
    let j = column - t.k_base;
    if (u32(t.batch) != b || i < t.start || i >= min(t.start + 64, t.tq) || j < 0 || j >= t.tk) { continue; }
    open = sees(t, h, vec4(i), vec4(j)).x;
    distance = distanceOf(t, vec4(i), vec4(j)).x;
  }
  seen[index] = select(0.0, 1.0, open);
  if (h == 0u) { distances[(b * params.tq + u32(row)) * params.tk + u32(column)] = distance; }
}
