// G_t = dy_t + a_{t+1} G_{t+1}: db = G, da_t = G_t h_{t-1} (LOG = 1: times e^a_t). One invocation a channel of a row: a
// whole sequence, where `edge` holds the gradient of the final state (SEEDED = 1) and gets that of the initial one, or a
// slot of time (SLOTS = 1), where `edge` holds what enters it at its end.
alias F = f32; // define: f32 | f16
override INITIAL: u32 = 0u;
override DY: u32 = 1u;
override SEEDED: u32 = 0u;
override LOG: u32 = 0u;
override SLOTS: u32 = 0u;
override PACKED: u32 = 0u;

struct Params { count: u32, time: u32, d: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<F>; // [B, T, D]
@group(0) @binding(2) var<storage, read> y: array<F>; // [B, T, D], the states h
@group(0) @binding(3) var<storage, read> initial: array<f32>; // [S, D]
@group(0) @binding(4) var<storage, read> dy: array<F>; // [B, T, D]
@group(0) @binding(5) var<storage, read> spans: array<i32>; // [*], see shared/recurrence-span
@group(0) @binding(6) var<storage, read_write> edge: array<f32>; // [rows, D] = [count]
@group(0) @binding(7) var<storage, read_write> da: array<F>; // [B, T, D]
@group(0) @binding(8) var<storage, read_write> db: array<F>; // [B, T, D]

// include shared/linear.wgsl
// include shared/recurrence-span.wgsl
// include shared/decay.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let span = spanOf(i / params.d);
  let c = i % params.d;
  var carry = 0.0;
  if (SEEDED == 1u) { carry = edge[i]; }
  for (var t = span.end; t > span.begin; t--) {
    let at = (t - 1u) * params.d + c;
    var g = carry;
    if (DY == 1u) { g += f32(dy[at]); }
    var before = 0.0;
    if (t - 1u > span.begin || span.number > 0u) {
      before = f32(y[at - params.d]);
    } else if (INITIAL == 1u) {
      before = initial[span.sequence * params.d + c];
    }
    var decay = f32(a[at]);
    if (LOG == 1u) { decay = decayOf(decay); }
    carry = g * decay;
    db[at] = F(g);
    da[at] = F(select(g, carry, LOG == 1u) * before);
  }
  edge[i] = carry;
}
