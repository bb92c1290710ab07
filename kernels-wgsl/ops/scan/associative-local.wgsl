// First phase of the chunked recurrence, one invocation a channel of a slot: what the slot makes from zero, and the
// product of its decays (LOG = 1: the sum of their logarithms). REVERSE = 1: of the gradient, backwards in time, where
// what leaves token t is a_t (G + dy_t).
alias F = f32; // define: f32 | f16
override LOG: u32 = 0u;
override REVERSE: u32 = 0u;
override DY: u32 = 1u;
override SLOTS: u32 = 1u;
override PACKED: u32 = 0u;

struct Params { count: u32, time: u32, d: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<F>; // [B, T, D]
@group(0) @binding(2) var<storage, read> x: array<F>; // [B, T, D], inputs or gradients of the states
@group(0) @binding(3) var<storage, read> spans: array<i32>; // [*], see shared/recurrence-span
@group(0) @binding(4) var<storage, read_write> factors: array<f32>; // [slots, D]
@group(0) @binding(5) var<storage, read_write> ends: array<f32>; // [slots, D]

// include shared/linear.wgsl
// include shared/recurrence-span.wgsl
// include shared/decay.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let span = spanOf(i / params.d);
  let c = i % params.d;
  var made = 0.0;
  var product = 1.0;
  var sum = 0.0;
  for (var k = span.begin; k < span.end; k++) {
    let t = select(k, span.begin + span.end - 1u - k, REVERSE == 1u);
    let at = t * params.d + c;
    var decay = f32(a[at]);
    if (LOG == 1u) {
      sum += decay;
      decay = decayOf(decay);
    } else {
      product *= decay;
    }
    var input = 0.0;
    if (DY == 1u) { input = f32(x[at]); }
    if (REVERSE == 1u) { made = decay * (made + input); } else { made = decay * made + input; }
  }
  factors[i] = select(product, sum, LOG == 1u);
  ends[i] = made;
}
