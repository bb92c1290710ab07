// Gradients of one slot (a chunk or a whole sequence) from the kept states and the gradient that enters at its end. States
// of TILE tokens are made again from the kept one, into registers; then time runs backwards. Every RED tokens the lanes
// exchange sums in workgroup memory, always in the same order: over the quads of a channel for du, ddelta and dz, over the
// channels of the workgroup for dB and dC; two barriers for RED tokens. Memory: u, delta, dy, z and the kept states read
// once, du, ddelta, dz and a part of dB and dC for every PASSES CHANNELS channels written once.
alias F = f32; // define: f32 | f16
const QUADS = 4u; // define: 2 | 3 | 4 | 18 | 64
override GATED: u32 = 0u;
override DY: u32 = 1u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> u: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> delta: array<F>; // [tokens, D]
@group(0) @binding(3) var<storage, read> dy: array<F>; // [tokens, D]
@group(0) @binding(4) var<storage, read> z: array<F>; // [tokens, D]
@group(0) @binding(5) var<storage, read> table: array<vec4<f32>>; // [*], see shared/selective-scan
@group(0) @binding(6) var<storage, read> kept: array<vec4<f32>>; // [kept rows, D, QUADS]
// Gradient entering each slot [slots, D, QUADS], replaced by the one leaving it; from at_partial dB and dC
// [parts, tokens, G, 2, QUADS]; from at_sums [slots, D, sum_width]: dA, (dD, dbias, 0, 0), then dB and dC where fixed.
@group(0) @binding(7) var<storage, read_write> work: array<vec4<f32>>; // [*]
@group(0) @binding(8) var<storage, read_write> grads: array<F>; // [3, plane]: du, ddelta, dz

// include shared/gates.wgsl
// include shared/selective-scan.wgsl
// include shared/selective-scan-lanes.wgsl
const RED = 2u + 2u * min(1u, QUADS / 4u); // tokens between exchanges: many channels to a workgroup leave room for two
const PASSES = 4u; // blocks of channels that a workgroup takes one after another, summing dB and dC on the way
const ROW = LANES + 4u; // rows of pairs are padded to keep to different banks
var<workgroup> items: array<vec2<f32>, TILE * CHANNELS>; // step, u
var<workgroup> gys: array<f32, TILE * CHANNELS>;
var<workgroup> pairs: array<vec4<f32>, RED * 2u * ROW>; // [token, dB or dC, lane]
var<workgroup> dots: array<vec3<f32>, RED * LANES>; // of one quad: G . B, G . A exp(d A) h, C . h

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x + wg.y * wgs.x;
  let parts = (params.blocks + PASSES - 1u) / PASSES;
  if (row >= params.slots * params.groups * parts) { return; }
  let part = row % parts;
  let i_slot = row / parts / params.groups;
  let slot = slotAt(i_slot);
  for (var turn = 0u; turn < min(PASSES, params.blocks - part * PASSES); turn++) {
    let l = laneOf(row / parts * params.blocks + part * PASSES + turn, lane);
    let rate = table[l.d * QUADS + l.q];
    let at_work = (i_slot * params.d + l.d) * QUADS + l.q;
    // Between barriers each lane also finishes one channel of one token.
    let out_token = lane / CHANNELS;
    let out_at = lane % CHANNELS;
    let out_d = l.first + min(out_at, l.live - 1u);
    let out_channel = table[params.at_channel + out_d];
    var carry = work[at_work];
    var own = array<vec4<f32>, 3>(vec4(0.0), vec4(0.0), vec4(0.0)); // dA, dB, dC of the quad, zero again each turn
    var sums = vec2(0.0); // dD, dbias
    for (var tile = (slot.size + TILE - 1u) / TILE; tile > 0u; tile--) {
      let t0 = slot.begin + (tile - 1u) * TILE;
      let size = min(TILE, slot.begin + slot.size - t0);
      workgroupBarrier();
      for (var i = lane; i < size * CHANNELS; i += LANES) {
        let d = l.first + min(i % CHANNELS, l.live - 1u);
        let at = (t0 + i / CHANNELS) * params.d + d;
        let dout = select(0.0, f32(dy[at]), DY == 1u);
        items[i] = vec2(stepOf(f32(delta[at]), d), f32(u[at]));
        gys[i] = select(dout, dout * silu(f32(z[at])), GATED == 1u);
      }
      workgroupBarrier();
      // Loops of constant length over `before` unroll, so that it stays in registers.
      var before: array<vec4<f32>, TILE>;
      var h = kept[((slot.kept + tile - 1u) * params.d + l.d) * QUADS + l.q];
      for (var k = 0u; k < TILE; k++) {
        before[k] = h;
        if (k < size) {
          let item = items[k * CHANNELS + l.at];
          h = exp(item.x * rate) * h + item.x * item.y * table[atB(t0 + k, l)];
        }
      }
      for (var batch = TILE / RED; batch > 0u; batch--) {
        let k0 = (batch - 1u) * RED;
        if (k0 >= size) { continue; }
        for (var r = RED; r > 0u; r--) {
          let k = k0 + r - 1u;
          if (k < size) {
            let item = items[k * CHANNELS + l.at];
            let gy = gys[k * CHANNELS + l.at];
            let b = table[atB(t0 + k, l)];
            let c = table[atC(t0 + k, l)];
            let decay = exp(item.x * rate);
            let decayed = decay * before[k];
            let state = decayed + item.x * item.y * b;
            let g = carry + gy * c;
            pairs[(2u * r - 2u) * ROW + lane] = item.x * item.y * g;
            pairs[(2u * r - 1u) * ROW + lane] = gy * state;
            dots[(r - 1u) * LANES + lane] = vec3(dot(g, b), dot(g * rate, decayed), dot(c, state));
            own[0] += item.x * g * decayed;
            own[1] += item.x * item.y * g;
            own[2] += gy * state;
            carry = decay * g;
          }
        }
        workgroupBarrier();
        let k = k0 + out_token;
        if (out_token < RED && k < size && out_at < l.live) {
          let at = (t0 + k) * params.d + out_d;
          let item = items[k * CHANNELS + out_at];
          let gy = gys[k * CHANNELS + out_at];
          var total = vec3(0.0);
          for (var q = 0u; q < QUADS; q++) { total += dots[out_token * LANES + out_at * QUADS + q]; }
          var dstep = item.y * total.x + total.y;
          if (params.softplus == 1u) { dstep *= softplusSlope(f32(delta[at]) + out_channel.y); }
          grads[at] = F(item.x * total.x + out_channel.x * gy);
          grads[params.plane + at] = F(dstep);
          if (GATED == 1u) {
            let read = total.z + out_channel.x * item.y;
            grads[2u * params.plane + at] = F(select(0.0, f32(dy[at]), DY == 1u) * read * siluSlope(f32(z[at])));
          }
          sums += vec2(gy * item.y, dstep);
        }
        if (params.b_varies == 1u || params.c_varies == 1u) {
          for (var o = lane; o < min(RED, size - k0) * 2u * QUADS; o += LANES) {
            let token = (part * params.tokens + t0 + k0 + o / (2u * QUADS)) * params.groups + l.group;
            let at = params.at_partial + token * 2u * QUADS + o % (2u * QUADS);
            var total = vec4(0.0);
            if (turn > 0u) { total = work[at]; }
            for (var p = 0u; p < l.live; p++) { total += pairs[(o / QUADS) * ROW + p * QUADS + o % QUADS]; }
            work[at] = total;
          }
        }
        workgroupBarrier();
      }
    }
    workgroupBarrier();
    dots[lane] = vec3(sums, 0.0);
    workgroupBarrier();
    let at_sums = params.at_sums + i_slot * params.d * params.sum_width;
    if (l.owns) {
      work[at_work] = carry;
      let at = at_sums + l.d * params.sum_width + l.q;
      work[at] = own[0];
      if (params.b_varies == 0u) { work[at + QUADS + 1u] = own[1]; }
      if (params.c_varies == 0u) { work[at + QUADS + 1u + (1u - params.b_varies) * QUADS] = own[2]; }
    }
    if (lane < l.live) {
      var total = vec2(0.0);
      for (var r = 0u; r < RED; r++) { total += dots[r * CHANNELS + lane].xy; }
      work[at_sums + (l.first + lane) * params.sum_width + QUADS] = vec4(total, 0.0, 0.0);
    }
  }
}
