// Tiles of 16 queries by 16 keys, one invocation a pair. Needs params and the bindings q and k.
const TILE = 16u;
const LOWEST = -1.0e30;
var<workgroup> left: array<f32, 272>; // [16, 17]
var<workgroup> right: array<f32, 272>;

fn atQuery(b: u32, i: u32, h: u32, width: u32) -> u32 {
  return ((b * params.tq + min(i, params.tq - 1u)) * params.heads + h) * width;
}

fn atKey(b: u32, j: u32, h: u32, width: u32) -> u32 {
  return ((b * params.rows_k + min(j, params.tk - 1u)) * params.kv_heads + h) * width;
}

// May query i see key j? Both may lie beyond the ends.
fn sees(i: u32, j: u32) -> bool {
  return i < params.tq && j < params.tk && (params.causal == 0u || j + params.tq <= i + params.tk);
}

// Dot product of the invocation's row of `left` and column of `right`.
fn tileDot(row: u32, column: u32) -> f32 {
  var sum = 0.0;
  for (var e = 0u; e < TILE; e++) { sum += left[row * 17u + e] * right[column * 17u + e]; }
  return sum;
}
