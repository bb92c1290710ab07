// Signals of two real channels from their spectra: block o of a row gives tokens (o - first) SIZE / 2 on, places start to
// start + SIZE / 2 of the transform. Tokens before 0 go to `past`. SEEDED = 1 adds the gradient of the final state, a copy
// of the last `before` of past and present tokens.
alias F = f32; // define: f32 | f16
const SIZE = 128u; // define: 128u | 512u | 2048u
const LANES = 128u;
override PAST: u32 = 0u;
override SEEDED: u32 = 0u;

struct Params {
  count: u32, blocks: u32, first: u32, d: u32, time: u32, before: u32, start: u32, points: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> spectra: array<vec2<f32>>; // [rows, blocks, D, SIZE / 2]
@group(0) @binding(2) var<storage, read> twiddles: array<vec2<f32>>; // [SIZE]
@group(0) @binding(3) var<storage, read> dfinal: array<f32>; // [rows, before, D]
@group(0) @binding(4) var<storage, read_write> signal: array<F>; // [rows, time, D]
@group(0) @binding(5) var<storage, read_write> past: array<f32>; // [rows, before, D]

// include shared/fft.wgsl
// include shared/fft-powers.wgsl
fn write(row: u32, t: i32, c: u32, made: f32) {
  let back = t + i32(params.before);
  if (c >= params.d || t >= i32(params.time) || back < 0) { return; }
  var v = made;
  let kept = back - i32(params.time);
  if (SEEDED == 1u && kept >= 0 && kept < i32(params.before)) {
    v += dfinal[(row * params.before + u32(kept)) * params.d + c];
  }
  if (t >= 0) {
    signal[(row * params.time + u32(t)) * params.d + c] = F(v);
  } else if (PAST == 1u) {
    past[(row * params.before + u32(back)) * params.d + c] = v;
  }
}

// Entry k of the spectrum of channel c, from place `at` of the first entry.
fn entry(at: u32, c: u32, k: u32) -> vec2<f32> {
  if (c >= params.d) { return vec2(0.0); }
  return spectra[at + k];
}

// The larger magnitude of both parts.
fn larger(v: vec2<f32>) -> u32 {
  let m = magnitude(v);
  return max(m.x, m.y);
}

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = wg.x + wg.y * wgs.x;
  if (i >= params.count) { return; }
  let pairs = (params.d + 1u) / 2u;
  let c = 2u * (i % pairs);
  let o = (i / pairs) % params.blocks;
  let row = i / pairs / params.blocks;
  let half = params.points / 2u;
  let at = ((row * params.blocks + o) * params.d + c) * half;
  var own = vec2(0u);
  for (var k = lane; k < half; k += LANES) {
    own = max(own, vec2(larger(entry(at, c, k)), larger(entry(at + half, c + 1u, k))));
  }
  let most = largest(lane, own);
  for (var k = lane; k < half; k += LANES) {
    let a = over(entry(at, c, k), most.xx);
    let b = over(entry(at + half, c + 1u, k), most.yy);
    if (k == 0u) {
      points[placeOf(0u)] = vec2(a.x, b.x);
      points[placeOf(half)] = vec2(a.y, b.y);
    } else {
      points[placeOf(k)] = vec2(a.x - b.y, a.y + b.x);
      points[placeOf(params.points - k)] = vec2(a.x + b.y, b.x - a.y);
    }
  }
  inverse(lane);
  let scale = 1.0 / f32(params.points);
  for (var r = lane; r < half; r += LANES) {
    let t = (i32(o) - i32(params.first)) * i32(half) + i32(r);
    let v = back(points[params.start + r] * scale, most);
    write(row, t, c, v.x);
    write(row, t, c + 1u, v.y);
  }
}
