// Spectra of overlapping stretches of two real channels at a time: stretch g of a row holds the SIZE tokens from
// (g - first) SIZE / 2 - lead on, of which only places low to high count; what lies before token 0 comes from `past`.
// A spectrum keeps frequencies 0 to SIZE / 2 - 1; entry 0 holds the real ones of 0 and SIZE / 2.
alias F = f32; // define: f32 | f16
const SIZE = 128u; // define: 128u | 512u | 2048u
const LANES = 128u;
override PRESENT: u32 = 1u;
override PAST: u32 = 0u;

struct Params {
  count: u32, segments: u32, first: u32, d: u32, time: u32, before: u32, lead: u32, low: u32, high: u32, points: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> signal: array<F>; // [rows, time, D]
@group(0) @binding(2) var<storage, read> past: array<f32>; // [rows, before, D]
@group(0) @binding(3) var<storage, read> twiddles: array<vec2<f32>>; // [SIZE]
@group(0) @binding(4) var<storage, read_write> spectra: array<vec2<f32>>; // [rows, segments, D, SIZE / 2]

// include shared/fft.wgsl
// include shared/fft-powers.wgsl
fn value(row: u32, t: i32, c: u32) -> f32 {
  if (PRESENT == 0u || c >= params.d || t >= i32(params.time)) { return 0.0; }
  if (t >= 0) { return f32(signal[(row * params.time + u32(t)) * params.d + c]); }
  let back = t + i32(params.before);
  if (PAST == 0u || back < 0) { return 0.0; }
  return past[(row * params.before + u32(back)) * params.d + c];
}

// Both channels at place r of a stretch that begins with token `start`.
fn pair(row: u32, start: i32, r: u32, c: u32) -> vec2<f32> {
  if (r < params.low || r >= params.high) { return vec2(0.0); }
  return vec2(value(row, start + i32(r), c), value(row, start + i32(r), c + 1u));
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = wg.x + wg.y * wgs.x;
  if (i >= params.count) { return; }
  let pairs = (params.d + 1u) / 2u;
  let c = 2u * (i % pairs);
  let g = (i / pairs) % params.segments;
  let row = i / pairs / params.segments;
  let half = params.points / 2u;
  let start = (i32(g) - i32(params.first)) * i32(half) - i32(params.lead);
  var own = vec2(0u);
  for (var r = lane; r < params.points; r += LANES) { own = max(own, magnitude(pair(row, start, r, c))); }
  let most = largest(lane, own);
  for (var r = lane; r < params.points; r += LANES) { points[r] = over(pair(row, start, r, c), most); }
  transform(lane);
  let to = ((row * params.segments + g) * params.d + c) * half;
  for (var k = lane; k < half; k += LANES) {
    let z = points[placeOf(k)];
    let o = points[placeOf(select(params.points - k, half, k == 0u))];
    var a = vec2(z.x, o.x);
    var b = vec2(z.y, o.y);
    if (k > 0u) {
      a = 0.5 * vec2(z.x + o.x, z.y - o.y);
      b = 0.5 * vec2(z.y + o.y, o.x - z.x);
    }
    spectra[to + k] = back(a, most.xx);
    if (c + 1u < params.d) { spectra[to + half + k] = back(b, most.yy); }
  }
}
