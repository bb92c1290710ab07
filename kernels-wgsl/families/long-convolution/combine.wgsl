// Sums of products of spectra over stretches, frequency by frequency; four results an invocation, which share a moving
// window. MODE 0, outputs: sum_m a[o - m + shift] b[m]. MODE 1, gradient of the inputs: sum_m a[o + m - shift] conj b[m].
// MODE 2, gradient of the filter: sum over rows and i of b[i] conj a[i - o + shift].
override MODE: u32 = 0u;

struct Params {
  count: u32, outs: u32, d: u32, bins: u32, windows: u32, fixed: u32, rows: u32, shift: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<vec2<f32>>; // [rows, windows, D, bins]
@group(0) @binding(2) var<storage, read> b: array<vec2<f32>>; // [fixed, D, bins]; MODE 2: [rows, fixed, D, bins]
@group(0) @binding(3) var<storage, read_write> sums: array<vec2<f32>>; // [rows, outs, D, bins]; MODE 2: one row

// include shared/linear.wgsl
// Two real numbers at frequency 0, one complex number elsewhere.
fn product(x: vec2<f32>, h: vec2<f32>, k: u32) -> vec2<f32> {
  if (k == 0u) { return x * h; }
  if (MODE == 0u) { return vec2(x.x * h.x - x.y * h.y, x.x * h.y + x.y * h.x); }
  if (MODE == 1u) { return vec2(x.x * h.x + x.y * h.y, x.y * h.x - x.x * h.y); }
  return vec2(x.x * h.x + x.y * h.y, x.x * h.y - x.y * h.x);
}

fn window(row: u32, at: i32, lane: u32) -> vec2<f32> {
  if (at < 0 || at >= i32(params.windows)) { return vec2(0.0); }
  return a[(row * params.windows + u32(at)) * params.d * params.bins + lane];
}

// Which stretch result o + q needs at step s.
fn place(s: i32, o: i32) -> i32 {
  let shift = i32(params.shift);
  if (MODE == 0u) { return o - s + shift; }
  if (MODE == 1u) { return o + s - shift; }
  return s - o + shift;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let width = params.d * params.bins;
  let lane = i % width;
  let k = lane % params.bins;
  let quads = (params.outs + 3u) / 4u;
  let o = 4u * ((i / width) % quads);
  let row = i / width / quads;
  var s0 = vec2(0.0);
  var s1 = vec2(0.0);
  var s2 = vec2(0.0);
  var s3 = vec2(0.0);
  var first = 0u;
  var last = params.fixed;
  if (MODE == 0u) { last = min(last, o + 4u + params.shift); }
  if (MODE == 2u && o > params.shift) { first = min(o - params.shift, last); }
  let end = select(row + 1u, params.rows, MODE == 2u);
  for (var r = row; r < end; r++) {
    // The window of the step before the first.
    let before = i32(first) - 1;
    var w0 = window(r, place(before, i32(o)), lane);
    var w1 = window(r, place(before, i32(o) + 1), lane);
    var w2 = window(r, place(before, i32(o) + 2), lane);
    var w3 = window(r, place(before, i32(o) + 3), lane);
    for (var s = first; s < last; s++) {
      if (MODE == 1u) {
        w0 = w1;
        w1 = w2;
        w2 = w3;
        w3 = window(r, place(i32(s), i32(o) + 3), lane);
      } else {
        w3 = w2;
        w2 = w1;
        w1 = w0;
        w0 = window(r, place(i32(s), i32(o)), lane);
      }
      let h = b[(select(0u, r * params.fixed, MODE == 2u) + s) * width + lane];
      s0 += product(w0, h, k);
      s1 += product(w1, h, k);
      s2 += product(w2, h, k);
      s3 += product(w3, h, k);
    }
  }
  let to = (row * params.outs + o) * width + lane;
  sums[to] = s0;
  if (o + 1u < params.outs) { sums[to + width] = s1; }
  if (o + 2u < params.outs) { sums[to + 2u * width] = s2; }
  if (o + 3u < params.outs) { sums[to + 3u * width] = s3; }
}
