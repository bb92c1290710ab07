// Tiles of 32 rows by 64 columns, 128 invocations of 4 x 4 elements each. Needs leftAt(kind, row, e), which gives rows
// row to row + 3 at e, rightAt(kind, e, column), which gives four columns, and TURNED: neighbours in memory are along e.
const DEPTH = 16u;
var<workgroup> left_tile: array<vec4<f32>, 128>; // [DEPTH, 8]
var<workgroup> right_tile: array<vec4<f32>, 256>; // [DEPTH, 16]
var<private> sums: array<vec4<f32>, 4>;

// sums += left right over `inner` entries of e.
fn addProduct(kind: u32, inner: u32, lane: u32) {
  for (var e0 = 0u; e0 < inner; e0 += DEPTH) {
    let e = lane % DEPTH;
    left_tile[e * 8u + lane / DEPTH] = leftAt(kind, lane / DEPTH * 4u, e0 + e);
    for (var cell = lane; cell < 256u; cell += 128u) {
      let d = select(cell / 16u, cell % 16u, TURNED);
      let c = select(cell % 16u, cell / 16u, TURNED);
      right_tile[d * 16u + c] = rightAt(kind, e0 + d, c * 4u);
    }
    workgroupBarrier();
    for (var d = 0u; d < min(DEPTH, inner - e0); d++) {
      let a = left_tile[d * 8u + lane / 16u];
      let b = right_tile[d * 16u + lane % 16u];
      sums[0] += a.x * b;
      sums[1] += a.y * b;
      sums[2] += a.z * b;
      sums[3] += a.w * b;
    }
    workgroupBarrier();
  }
}
