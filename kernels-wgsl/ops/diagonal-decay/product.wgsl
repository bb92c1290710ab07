// y = A B (+ C D) for every chunk and head: 64 x 64 tiles by 16 x 16 invocations of 4 x 4 elements each, sums in f32. An
// extent is a number or, where its flag is set, the tokens of the chunk. An operand starts at slot number x its `slot`
// stride + first token x `begin` + head x `head`. LOWER: one tile of 64 x 64, 0 above the diagonal, then its transpose.
override LOWER: u32 = 0u;
alias A = f32; // define: f32 | f16
alias B = f32; // define: f32 | f16
alias Y = f32; // define: f32 | f16

struct Params {
  rows: u32, heads: u32, tiles_m: u32, tiles_n: u32, m: u32, n: u32, d: u32, d2: u32,
  tokens_m: u32, tokens_n: u32, tokens_d: u32,
  a_slot: u32, a_begin: u32, a_head: u32, a_m: u32, a_d: u32,
  b_slot: u32, b_begin: u32, b_head: u32, b_d: u32, b_n: u32,
  c_begin: u32, c_head: u32, c_m: u32, e_slot: u32, e_head: u32, e_d: u32,
  y_slot: u32, y_begin: u32, y_head: u32, y_m: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> slots: array<i32>; // [slots, 4]
@group(0) @binding(2) var<storage, read> a: array<A>; // [*]
@group(0) @binding(3) var<storage, read> b: array<B>; // [*]
@group(0) @binding(4) var<storage, read> c: array<f32>; // [*] C, contiguous along d2
@group(0) @binding(5) var<storage, read> e: array<f32>; // [*] D, contiguous along n
@group(0) @binding(6) var<storage, read_write> y: array<Y>; // [*], contiguous along n

// include shared/slots.wgsl
const DEPTH = 16u;
var<workgroup> tile_a: array<f32, 1040>; // [DEPTH, 65]: one column of padding against bank conflicts
var<workgroup> tile_b: array<f32, 1040>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x + wg.y * wgs.x;
  if (row >= params.rows) { return; }
  let n0 = (row % params.tiles_n) * 64u;
  let m0 = (row / params.tiles_n) % params.tiles_m * 64u;
  let pair = row / params.tiles_n / params.tiles_m;
  let h = pair % params.heads;
  let number = pair / params.heads;
  let slot = slotAt(number);
  let m = select(params.m, slot.size, params.tokens_m == 1u);
  let n = select(params.n, slot.size, params.tokens_n == 1u);
  let d = select(params.d, slot.size, params.tokens_d == 1u);
  let at_a = number * params.a_slot + slot.begin * params.a_begin + h * params.a_head;
  let at_b = number * params.b_slot + slot.begin * params.b_begin + h * params.b_head;
  let at_c = slot.begin * params.c_begin + h * params.c_head;
  let at_e = number * params.e_slot + h * params.e_head;
  let fast_m = params.a_m == 1u;
  let fast_n = params.b_n == 1u;
  let first = (d + DEPTH - 1u) / DEPTH;
  let steps = first + (params.d2 + DEPTH - 1u) / DEPTH;
  var sums: array<vec4<f32>, 4>;
  for (var step = 0u; step < steps; step++) {
    for (var s = 0u; s < 4u; s++) {
      // Neighbouring lanes read neighbouring addresses in either layout.
      let i = s * 256u + lane;
      var left = 0.0;
      var right = 0.0;
      if (step < first) {
        let da = step * DEPTH + select(i % DEPTH, i / 64u, fast_m);
        let ma = m0 + select(i / DEPTH, i % 64u, fast_m);
        if (ma < m && da < d) { left = f32(a[at_a + ma * params.a_m + da * params.a_d]); }
        let db = step * DEPTH + select(i % DEPTH, i / 64u, fast_n);
        let nb = n0 + select(i / DEPTH, i % 64u, fast_n);
        if (nb < n && db < d) { right = f32(b[at_b + db * params.b_d + nb * params.b_n]); }
        tile_a[select(i % DEPTH, i / 64u, fast_m) * 65u + select(i / DEPTH, i % 64u, fast_m)] = left;
        tile_b[select(i % DEPTH, i / 64u, fast_n) * 65u + select(i / DEPTH, i % 64u, fast_n)] = right;
      } else {
        let depth = (step - first) * DEPTH;
        let ma = m0 + i / DEPTH;
        if (ma < m && depth + i % DEPTH < params.d2) { left = c[at_c + ma * params.c_m + depth + i % DEPTH]; }
        let nb = n0 + i % 64u;
        if (nb < n && depth + i / 64u < params.d2) { right = e[at_e + (depth + i / 64u) * params.e_d + nb]; }
        tile_a[i % DEPTH * 65u + i / DEPTH] = left;
        tile_b[i / 64u * 65u + i % 64u] = right;
      }
    }
    workgroupBarrier();
    for (var x = 0u; x < DEPTH; x++) {
      let at = x * 65u + local.x;
      let line = vec4(tile_b[at], tile_b[at + 16u], tile_b[at + 32u], tile_b[at + 48u]);
      for (var i = 0u; i < 4u; i++) { sums[i] += tile_a[x * 65u + local.y + 16u * i] * line; }
    }
    workgroupBarrier();
  }
  let at_y = number * params.y_slot + slot.begin * params.y_begin + h * params.y_head;
  for (var i = 0u; i < 4u; i++) {
    let mi = m0 + local.y + 16u * i;
    for (var j = 0u; j < 4u; j++) {
      let nj = n0 + local.x + 16u * j;
      if (LOWER == 1u) {
        let value = select(0.0, sums[i][j], nj <= mi);
        y[at_y + mi * 64u + nj] = Y(value);
        y[at_y + 4096u + nj * 64u + mi] = Y(value);
      } else if (mi < m && nj < n) { y[at_y + mi * params.y_m + nj] = Y(sums[i][j]); }
    }
  }
}
