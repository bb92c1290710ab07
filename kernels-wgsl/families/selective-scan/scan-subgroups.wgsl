enable subgroups;
// As scan.wgsl, with one barrier to four states of a block: the pairs of a subgroup are scanned by shuffles, and every lane
// goes through the totals of the subgroups before its own. Lanes are numbered anew, so that those of a subgroup follow
// one another whatever its size and order.
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
// include shared/subgroups.wgsl
const OWN = 4u;
var<workgroup> carries: array<vec4<f32>, QUADS>;
// Invocations that scan together, at the lane of the first of them; 0 at the others.
var<workgroup> spans: array<u32, LANES>;
var<workgroup> sums: array<f32, 2u * LANES>;
var<workgroup> parts: array<vec4<f32>, 2u * LANES>;

// exp(A s) h. Growing decays overflow over many tokens; a zero state stays zero.
fn decayed(exponent: vec4<f32>, h: vec4<f32>) -> vec4<f32> {
  return select(exp(exponent), vec4(0.0), h == vec4(0.0)) * h;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) index: u32, @builtin(subgroup_invocation_id) id: u32, @builtin(subgroup_size) size: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.slots * params.d) { return; }
  let span = spanOf(id);
  let at = id % span;
  spans[index] = select(0u, span, at == 0u);
  let leader = select(subgroupBroadcastFirst(index), index, span == 1u);
  workgroupBarrier();
  var base = 0u;
  for (var i = 0u; i < leader; i++) { base += spans[i]; }
  let lane = base + at;
  workgroupBarrier();
  spans[lane] = select(0u, span, at == 0u);
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
  workgroupBarrier();
  // Halves of sums and parts take turns, so that one barrier is enough.
  var half = 0u;
  for (var t0 = 0u; t0 < slot.size; t0 += LANES * OWN) {
    let first = t0 + lane * OWN;
    // Tokens beyond the end are neutral: step 0.
    var inputs = array<f32, OWN>(0.0, 0.0, 0.0, 0.0);
    var own_steps = array<f32, OWN>(0.0, 0.0, 0.0, 0.0);
    var outs = array<f32, OWN>(0.0, 0.0, 0.0, 0.0);
    var own_sum = 0.0;
    for (var k = 0u; k < OWN; k++) {
      if (first + k < slot.size) {
        let place = (slot.begin + first + k) * params.d + d;
        inputs[k] = f32(u[place]);
        own_steps[k] = stepOf(f32(delta[place]), d);
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
      // Inclusive scan by doubling within the subgroup; lanes without tokens are left out.
      var sum = own_sum;
      for (var reach = 1u; reach < min(size, LANES); reach *= 2u) {
        let sum_before = subgroupShuffleUp(sum, reach);
        let made_before = subgroupShuffleUp(made, reach);
        if (at >= reach && lane < lanes) {
          made = decayed(sum * rate, made_before) + made;
          sum += sum_before;
        }
      }
      let sum_before = subgroupShuffleUp(sum, 1u);
      let made_before = subgroupShuffleUp(made, 1u);
      if (lane < lanes && (at == span - 1u || lane == lanes - 1u)) {
        sums[half + base] = sum;
        parts[half + base] = made;
      }
      let entering = carries[q];
      workgroupBarrier();
      // Through the totals of all subgroups: h enters this one, `leaving` the next block.
      var h = entering;
      var leaving = entering;
      for (var i = 0u; i < lanes; i += max(1u, spans[i])) {
        if (i == base) { h = leaving; }
        leaving = decayed(sums[half + i] * rate, leaving) + parts[half + i];
      }
      half = LANES - half;
      if (at > 0u) { h = decayed(sum_before * rate, h) + made_before; }
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
      // Read again behind a barrier of another q: there are two at least.
      if (lane == 0u) { carries[q] = leaving; }
    }
    for (var k = 0u; k < OWN; k++) {
      if (first + k < slot.size) {
        let place = (slot.begin + first + k) * params.d + d;
        if (GATED == 1u) { outs[k] *= silu(f32(z[place])); }
        y[place] = F(outs[k]);
      }
    }
  }
  workgroupBarrier();
  if (FINAL == 1u) {
    for (var n = lane; n < params.states; n += LANES) { final_state[row * params.states + n] = carries[n / 4u][n % 4u]; }
  }
}
