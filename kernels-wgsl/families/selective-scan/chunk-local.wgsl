// First phase of the chunked scan: every chunk from a zero state. Leaves the state at its end and the sum of its steps;
// the decay over the chunk is exp(A times that sum), so decays are never multiplied together.
alias F = f32; // define: f32 | f16
const QUADS = 4u; // define: 2 | 3 | 4 | 18 | 64

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> delta: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> table: array<vec4<f32>>; // [*], see shared/selective-scan
@group(0) @binding(4) var<storage, read_write> ends: array<vec4<f32>>; // [slots, D, QUADS]
@group(0) @binding(5) var<storage, read_write> steps: array<f32>; // [slots, D]

// include shared/gates.wgsl
// include shared/selective-scan.wgsl
// include shared/selective-scan-lanes.wgsl
var<workgroup> items: array<vec2<f32>, TILE * CHANNELS>; // step, u

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.slots * params.groups * params.blocks) { return; }
  let i_slot = row / params.blocks / params.groups;
  let slot = slotAt(i_slot);
  let l = laneOf(row, lane);
  let rate = table[l.d * QUADS + l.q];
  var h = vec4(0.0);
  var total = 0.0;
  for (var t0 = 0u; t0 < slot.size; t0 += TILE) {
    let size = min(TILE, slot.size - t0);
    workgroupBarrier();
    for (var i = lane; i < size * CHANNELS; i += LANES) {
      let d = l.first + min(i % CHANNELS, l.live - 1u);
      let at = (slot.begin + t0 + i / CHANNELS) * params.d + d;
      items[i] = vec2(stepOf(f32(delta[at]), d), f32(u[at]));
    }
    workgroupBarrier();
    for (var k = 0u; k < size; k++) {
      let item = items[k * CHANNELS + l.at];
      h = exp(item.x * rate) * h + item.x * item.y * table[atB(slot.begin + t0 + k, l)];
      total += item.x;
    }
  }
  if (!l.owns) { return; }
  ends[(i_slot * params.d + l.d) * QUADS + l.q] = h;
  if (l.q == 0u) { steps[i_slot * params.d + l.d] = total; }
}
