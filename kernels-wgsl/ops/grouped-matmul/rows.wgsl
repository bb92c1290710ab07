// y_i = x_i W_e for the rows i of group e: tiles of 16 HEIGHT rows and 64 columns by 16 x 16 invocations; sums in f32.
// A tile finds its group in the numbers of first tiles; tiles without a group write zeros. tb: W is stored [E, N, K].
alias F = f32; // define: f32 | f16
override HEIGHT: u32 = 4u; // rows of one invocation: 1 to 4

struct Params { rows: u32, n: u32, k: u32, count: u32, tb: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> starts: array<i32>; // [count + 3]
@group(0) @binding(2) var<storage, read> offsets: array<i32>; // [count + 1]
@group(0) @binding(3) var<storage, read> x: array<F>; // [rows, K]
@group(0) @binding(4) var<storage, read> w: array<F>; // [count, K, N] or [count, N, K]
@group(0) @binding(5) var<storage, read_write> y: array<F>; // [rows, N]

const DEPTH = 16u;
var<workgroup> tile_x: array<f32, 1040>; // [DEPTH, 65]: one column of padding against bank conflicts
var<workgroup> tile_w: array<f32, 1040>;

// The group of a tile, counted from the rows before the first group.
fn groupOf(tile: i32) -> u32 {
  var low = 0u;
  var high = params.count + 2u;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (starts[middle] <= tile) { low = middle; } else { high = middle; }
  }
  return low;
}

fn bound(g: u32) -> u32 {
  if (g == 0u) { return 0u; }
  if (g > params.count + 1u) { return params.rows; }
  return u32(clamp(offsets[g - 1u], 0, i32(params.rows)));
}

fn fill(at_w: u32, m0: u32, end: u32, n0: u32, k0: u32, lane: u32) {
  for (var s = 0u; s < HEIGHT; s++) {
    let e = s * 256u + lane;
    let k = k0 + e % DEPTH;
    let m = m0 + e / DEPTH;
    var v = 0.0;
    if (k < params.k && m < end) { v = f32(x[m * params.k + k]); }
    tile_x[(e % DEPTH) * 65u + e / DEPTH] = v;
  }
  for (var s = 0u; s < 4u; s++) {
    let e = s * 256u + lane;
    // Neighbouring lanes read neighbouring addresses in either layout.
    let kb = select(e / 64u, e % DEPTH, params.tb == 1u);
    let nb = select(e % 64u, e / DEPTH, params.tb == 1u);
    let k = k0 + kb;
    let n = n0 + nb;
    var v = 0.0;
    if (k < params.k && n < params.n) {
      v = f32(w[at_w + select(k * params.n + n, n * params.k + k, params.tb == 1u)]);
    }
    tile_w[kb * 65u + nb] = v;
  }
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = i32(group.y + group.z * groups.y);
  if (tile >= starts[params.count + 2u]) { return; }
  let g = groupOf(tile);
  let end = bound(g + 1u);
  let m0 = bound(g) + u32(tile - starts[g]) * 16u * HEIGHT;
  let n0 = group.x * 64u;
  let matrix = g > 0u && g <= params.count;
  let at_w = select(0u, g - 1u, matrix) * params.k * params.n;
  let depth = select(0u, params.k, matrix);
  var sums: array<vec4<f32>, 4>;
  for (var k0 = 0u; k0 < depth; k0 += DEPTH) {
    fill(at_w, m0, end, n0, k0, lane);
    workgroupBarrier();
    for (var k = 0u; k < DEPTH; k++) {
      let at = k * 65u + local.x;
      let row = vec4(tile_w[at], tile_w[at + 16u], tile_w[at + 32u], tile_w[at + 48u]);
      for (var i = 0u; i < HEIGHT; i++) { sums[i] += tile_x[k * 65u + local.y + 16u * i] * row; }
    }
    workgroupBarrier();
  }
  for (var i = 0u; i < HEIGHT; i++) {
    let m = m0 + local.y + 16u * i;
    for (var j = 0u; j < 4u; j++) {
      let n = n0 + local.x + 16u * j;
      if (m < end && n < params.n) { y[m * params.n + n] = F(sums[i][j]); }
    }
  }
}
