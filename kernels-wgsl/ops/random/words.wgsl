// Word `position + i` of a Philox4x32-10 stream: its bits, or a uniform f32 in [0, 1) made of its upper 24 bits.
alias T = f32; // define: f32 | u32

struct Params { count: u32, key_low: u32, key_high: u32, position_low: u32, position_high: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<T>; // [count]

override UNIFORM: u32 = 1u;

// include shared/linear.wgsl

// High 32 bits of a * b, from 16-bit halves.
fn multiplyHigh(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u);
}

fn philox(block: vec2<u32>) -> vec4<u32> {
  var c = vec4<u32>(block, 0u, 0u);
  var k = vec2<u32>(params.key_low, params.key_high);
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiplyHigh(0xd2511f53u, c.x);
    let high1 = multiplyHigh(0xcd9e8d57u, c.z);
    c = vec4<u32>(high1 ^ c.y ^ k.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ k.y, 0xd2511f53u * c.x);
    k += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let low = params.position_low + i;
  let high = params.position_high + select(0u, 1u, low < i);
  let word = philox(vec2<u32>((low >> 2u) | (high << 30u), high >> 2u))[low & 3u];
  y[i] = select(T(word), T(f32(word >> 8u) * 5.9604644775390625e-8), UNIFORM == 1u);
}
