// G_t = dy_t + a_{t+1} G_{t+1} (G_T seeded by dfinal): db = G, da_t = G_t h_{t-1}, dinitial = a_0 G_0.
// DY, DFINAL say which output gradients are there.
override INITIAL: u32 = 0u;
override DY: u32 = 1u;
override DFINAL: u32 = 0u;

struct Params { count: u32, time: u32, d: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>; // [B, T, D]
@group(0) @binding(2) var<storage, read> y: array<f32>; // [B, T, D], the states h
@group(0) @binding(3) var<storage, read> initial: array<f32>; // [B, D] = [count]
@group(0) @binding(4) var<storage, read> dy: array<f32>; // [B, T, D]
@group(0) @binding(5) var<storage, read> dfinal: array<f32>; // [B, D]
@group(0) @binding(6) var<storage, read_write> da: array<f32>; // [B, T, D]
@group(0) @binding(7) var<storage, read_write> db: array<f32>; // [B, T, D]
@group(0) @binding(8) var<storage, read_write> dinitial: array<f32>; // [B, D]

// include shared/linear.wgsl
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let base = (i / params.d) * params.time * params.d + i % params.d;
  var start = 0.0;
  if (INITIAL == 1u) { start = initial[i]; }
  var carry = 0.0;
  if (DFINAL == 1u) { carry = dfinal[i]; }
  for (var t = params.time; t > 0u; t--) {
    let at = base + (t - 1u) * params.d;
    var g = carry;
    if (DY == 1u) { g += dy[at]; }
    var before = start;
    if (t > 1u) { before = y[at - params.d]; }
    db[at] = g;
    da[at] = g * before;
    carry = g * a[at];
  }
  dinitial[i] = carry;
}
