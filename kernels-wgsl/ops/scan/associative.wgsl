// h_t = a_t h_{t-1} + b_t, or e^a_t in place of a_t (LOG = 1). One invocation a channel of a row: a whole sequence, which
// starts from `initial` and writes the final state, or a slot of time (SLOTS = 1), which starts from what enters it.
alias F = f32; // define: f32 | f16
override INITIAL: u32 = 0u;
override LOG: u32 = 0u;
override SLOTS: u32 = 0u;
override PACKED: u32 = 0u;

struct Params { count: u32, time: u32, d: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<F>; // [B, T, D]
@group(0) @binding(2) var<storage, read> b: array<F>; // [B, T, D]
@group(0) @binding(3) var<storage, read> initial: array<f32>; // [rows, D] = [count]
@group(0) @binding(4) var<storage, read> spans: array<i32>; // [*], see shared/recurrence-span
@group(0) @binding(5) var<storage, read_write> y: array<F>; // [B, T, D]
@group(0) @binding(6) var<storage, read_write> final_state: array<f32>; // [S, D] when rows are sequences

// include shared/linear.wgsl
// include shared/recurrence-span.wgsl
// include shared/decay.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let span = spanOf(i / params.d);
  var at = span.begin * params.d + i % params.d;
  var h = 0.0;
  if (INITIAL == 1u) { h = initial[i]; }
  for (var t = span.begin; t < span.end; t++) {
    var decay = f32(a[at]);
    if (LOG == 1u) { decay = decayOf(decay); }
    h = decay * h + f32(b[at]);
    y[at] = F(h);
    at += params.d;
  }
  if (SLOTS == 0u) { final_state[i] = h; }
}
