// The associative form: lanes along time. (a1, b1) o (a2, b2) = (a1 a2, a2 b1 + b2) with a = exp(A s) held as its sum of
// steps s. One workgroup a channel of a sequence: a lane reduces OWN tokens, the 64 pairs are scanned in workgroup memory,
// the lane applies its own tokens from its true start; blocks of 64 OWN tokens follow one another with a carry.
// Neighbouring lanes read tokens D elements apart: fit for few channels, since rows of [tokens, D] are not coalesced.
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
@group(0) @binding(5) var<storage, read> start: array<f32>; // [S, D, start_width]
@group(0) @binding(6) var<storage, read_write> y: array<F>; // [tokens, D]
@group(0) @binding(7) var<storage, read_write> final_state: array<f32>; // [S, D, states]
@group(0) @binding(8) var<storage, read_write> kept: array<vec4<f32>>; // [kept rows, D, QUADS]

// include shared/gates.wgsl
// include shared/selective-scan.wgsl
const OWN = 4u;
var<workgroup> carries: array<vec4<f32>, QUADS>;
var<workgroup> sums: array<f32, 2u * LANES>;
var<workgroup> parts: array<vec4<f32>, 2u * LANES>;

// exp(A s) h. Growing decays overflow over many tokens; a zero state stays zero.
fn decayed(exponent: vec4<f32>, h: vec4<f32>) -> vec4<f32> {
  return select(exp(exponent), vec4(0.0), h == vec4(0.0)) * h;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.slots * params.d) { return; }
  let d = row % params.d;
  let slot = slotAt(row / params.d);
  let group = d / (params.d / params.groups);
  let quads = max(2u, (params.states + 3u) / 4u);
  let channel = table[params.at_channel + d];
  for (var q = lane; q < QUADS; q += LANES) {
    var h = vec4(0.0);
    if (START == 1u) {
      for (var n = 0u; n < min(4u, params.states - min(params.states, q * 4u)); n++) { h[n] = start[row * params.start_width + q * 4u + n]; }
    }
    carries[q] = h;
  }
  for (var t0 = 0u; t0 < slot.size; t0 += LANES * OWN) {
    let first = t0 + lane * OWN;
    // Tokens beyond the end are neutral: step 0.
    var inputs = array<f32, OWN>(0.0, 0.0, 0.0, 0.0);
    var own_steps = array<f32, OWN>(0.0, 0.0, 0.0, 0.0);
    var outs = array<f32, OWN>(0.0, 0.0, 0.0, 0.0);
    var own_sum = 0.0;
    for (var k = 0u; k < OWN; k++) {
      if (first + k < slot.size) {
        let at = (slot.begin + first + k) * params.d + d;
        inputs[k] = f32(u[at]);
        own_steps[k] = stepOf(f32(delta[at]), d);
        outs[k] = channel.x * inputs[k];
        own_sum += own_steps[k];
      }
    }
    // Lanes that have tokens; the bounds below are not constants, so that compilers do not unroll around barriers.
    let lanes = min(LANES, (slot.size - t0 + OWN - 1u) / OWN);
    for (var q = 0u; q < quads; q++) {
      let rate = table[d * QUADS + q];
      var made = vec4(0.0);
      for (var k = 0u; k < OWN; k++) {
        if (first + k < slot.size) {
          let t = slot.begin + first + k;
          let at_b = params.at_b + select(d, t * params.groups + group, params.b_varies == 1u) * QUADS + q;
          made = exp(own_steps[k] * rate) * made + own_steps[k] * inputs[k] * table[at_b];
        }
      }
      // Inclusive scan by doubling, between two halves of workgroup memory.
      var sum = own_sum;
      var half = 0u;
      sums[lane] = sum;
      parts[lane] = made;
      for (var reach = 1u; reach < lanes; reach *= 2u) {
        workgroupBarrier();
        if (lane >= reach) {
          made = decayed(sum * rate, parts[half + lane - reach]) + made;
          sum += sums[half + lane - reach];
        }
        half = LANES - half;
        sums[half + lane] = sum;
        parts[half + lane] = made;
      }
      workgroupBarrier();
      let entering = carries[q];
      var h = entering;
      if (lane > 0u) { h = decayed(sums[half + lane - 1u] * rate, entering) + parts[half + lane - 1u]; }
      let leaving = decayed(sums[half + lanes - 1u] * rate, entering) + parts[half + lanes - 1u];
      if (KEPT == 1u && first % TILE == 0u && first < slot.size) {
        kept[((slot.kept + first / TILE) * params.d + d) * QUADS + q] = h;
      }
      for (var k = 0u; k < OWN; k++) {
        if (first + k < slot.size) {
          let t = slot.begin + first + k;
          let at_b = params.at_b + select(d, t * params.groups + group, params.b_varies == 1u) * QUADS + q;
          let at_c = params.at_c + select(d, t * params.groups + group, params.c_varies == 1u) * QUADS + q;
          h = exp(own_steps[k] * rate) * h + own_steps[k] * inputs[k] * table[at_b];
          outs[k] += dot(table[at_c], h);
        }
      }
      workgroupBarrier();
      if (lane == 0u) { carries[q] = leaving; }
    }
    for (var k = 0u; k < OWN; k++) {
      if (first + k < slot.size) {
        let at = (slot.begin + first + k) * params.d + d;
        if (GATED == 1u) { outs[k] *= silu(f32(z[at])); }
        y[at] = F(outs[k]);
      }
    }
  }
  workgroupBarrier();
  if (FINAL == 1u) {
    for (var n = lane; n < params.states; n += LANES) { final_state[row * params.states + n] = carries[n / 4u][n % 4u]; }
  }
}
