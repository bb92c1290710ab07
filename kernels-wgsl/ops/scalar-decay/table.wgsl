// Slots of time, then the log-decay of every token and head as bits of f32: what all kernels of scalar-decay read, in
// one binding. kind: 0 no decay, 1 one a head, 2 one a token and head.

struct Params { count: u32, at_gates: u32, heads: u32, kind: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(2) var<storage, read> decay: array<f32>; // [H] or [B, T, H]
@group(0) @binding(3) var<storage, read_write> table: array<u32>; // [count]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  if (i < params.at_gates) {
    table[i] = u32(slots[i]);
    return;
  }
  let at = i - params.at_gates;
  var gate = 0.0;
  if (params.kind == 1u) { gate = decay[at % params.heads]; }
  if (params.kind == 2u) { gate = decay[at]; }
  table[i] = bitcast<u32>(gate);
}
