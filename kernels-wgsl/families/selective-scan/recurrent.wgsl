// h_t = exp(d_t A) h_{t-1} + d_t u_t B_t, y_t = (C_t . h_t + D u_t) silu(z_t) over each slot from its start state: whole
// sequences in the recurrent form, chunks in the last phase of the chunked one. States stay in registers; tokens are
// staged TILE at a time, so softplus and gate are computed once a token and channel. FINAL: the state at the end is
// written; KEPT: and the one before every TILE-th token, for the backward pass. Memory: u, delta, z read and y written once.
alias F = f32; // define: f32 | f16
const QUADS = 4u; // define: 2 | 3 | 4 | 18 | 64
override GATED: u32 = 0u;
override START: u32 = 0u;
override FINAL: u32 = 0u;
override KEPT: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> delta: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> z: array<F>; // [tokens, D]
@group(0) @binding(4) var<storage, read> table: array<vec4<f32>>; // [*], see shared/selective-scan
@group(0) @binding(5) var<storage, read> start: array<f32>; // [slots, D, start_width]
@group(0) @binding(6) var<storage, read_write> y: array<F>; // [tokens, D]
@group(0) @binding(7) var<storage, read_write> final_state: array<f32>; // [slots, D, states]
@group(0) @binding(8) var<storage, read_write> kept: array<vec4<f32>>; // [kept rows, D, QUADS]

// include shared/gates.wgsl
// include shared/selective-scan.wgsl
// include shared/selective-scan-lanes.wgsl
var<workgroup> items: array<vec2<f32>, TILE * CHANNELS>; // step, u
var<workgroup> parts: array<f32, TILE * LANES>; // C . h of one quad

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.slots * params.groups * params.blocks) { return; }
  let i_slot = row / params.blocks / params.groups;
  let slot = slotAt(i_slot);
  let l = laneOf(row, lane);
  let rate = table[l.d * QUADS + l.q];
  let own = min(4u, params.states - min(params.states, l.q * 4u));
  var h = vec4(0.0);
  if (START == 1u) {
    for (var n = 0u; n < own; n++) { h[n] = start[(i_slot * params.d + l.d) * params.start_width + l.q * 4u + n]; }
  }
  for (var t0 = 0u; t0 < slot.size; t0 += TILE) {
    let size = min(TILE, slot.size - t0);
    workgroupBarrier();
    for (var i = lane; i < size * CHANNELS; i += LANES) {
      let d = l.first + min(i % CHANNELS, l.live - 1u);
      let at = (slot.begin + t0 + i / CHANNELS) * params.d + d;
      items[i] = vec2(stepOf(f32(delta[at]), d), f32(u[at]));
    }
    if (KEPT == 1u && l.owns) { kept[((slot.kept + t0 / TILE) * params.d + l.d) * QUADS + l.q] = h; }
    workgroupBarrier();
    for (var k = 0u; k < size; k++) {
      let item = items[k * CHANNELS + l.at];
      let t = slot.begin + t0 + k;
      h = exp(item.x * rate) * h + item.x * item.y * table[atB(t, l)];
      parts[k * LANES + lane] = dot(table[atC(t, l)], h);
    }
    workgroupBarrier();
    for (var i = lane; i < size * CHANNELS; i += LANES) {
      let channel = i % CHANNELS;
      if (channel < l.live) {
        let d = l.first + channel;
        let at = (slot.begin + t0 + i / CHANNELS) * params.d + d;
        var sum = table[params.at_channel + d].x * items[i].y;
        for (var q = 0u; q < QUADS; q++) { sum += parts[(i / CHANNELS) * LANES + channel * QUADS + q]; }
        if (GATED == 1u) { sum *= silu(f32(z[at])); }
        y[at] = F(sum);
      }
    }
  }
  if (FINAL == 1u && l.owns) {
    for (var n = 0u; n < own; n++) { final_state[(i_slot * params.d + l.d) * params.states + l.q * 4u + n] = h[n]; }
  }
}
