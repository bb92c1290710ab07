// The backward scan G_t = gy_t C_t + exp(d_{t+1} A) G_{t+1} of every chunk from a zero gradient at its end: the gradient of
// the state before the chunk, and the sum of steps, for chunk-carry.
alias F = f32; // define: f32 | f16
const QUADS = 4u; // define: 2 | 3 | 4 | 18 | 64
override GATED: u32 = 0u;
override DY: u32 = 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> delta: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> dy: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> z: array<F>; // [tokens, D]
@group(0) @binding(4) var<storage, read> table: array<vec4<f32>>; // [*], see shared/selective-scan
@group(0) @binding(5) var<storage, read_write> ends: array<vec4<f32>>; // [slots, D, QUADS]
@group(0) @binding(6) var<storage, read_write> steps: array<f32>; // [slots, D]

// include shared/gates.wgsl
// include shared/selective-scan.wgsl
// include shared/selective-scan-lanes.wgsl
var<workgroup> items: array<vec2<f32>, TILE * CHANNELS>; // step, gy

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.slots * params.groups * params.blocks) { return; }
  let i_slot = row / params.blocks / params.groups;
  let slot = slotAt(i_slot);
  let l = laneOf(row, lane);
  let rate = table[l.d * QUADS + l.q];
  var carry = vec4(0.0);
  var total = 0.0;
  for (var tile = (slot.size + TILE - 1u) / TILE; tile > 0u; tile--) {
    let t0 = (tile - 1u) * TILE;
    let size = min(TILE, slot.size - t0);
    workgroupBarrier();
    for (var i = lane; i < size * CHANNELS; i += LANES) {
      let d = l.first + min(i % CHANNELS, l.live - 1u);
      let at = (slot.begin + t0 + i / CHANNELS) * params.d + d;
      var gy = 0.0;
      if (DY == 1u) { gy = f32(dy[at]); }
      if (GATED == 1u) { gy *= silu(f32(z[at])); }
      items[i] = vec2(stepOf(f32(delta[at]), d), gy);
    }
    workgroupBarrier();
    for (var k = size; k > 0u; k--) {
      let item = items[(k - 1u) * CHANNELS + l.at];
      carry = exp(item.x * rate) * (carry + item.y * table[atC(slot.begin + t0 + k - 1u, l)]);
      total += item.x;
    }
  }
  if (!l.owns) { return; }
  ends[(i_slot * params.d + l.d) * QUADS + l.q] = carry;
  if (l.q == 0u) { steps[i_slot * params.d + l.d] = total; }
}
