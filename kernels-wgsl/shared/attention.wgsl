// What the attention kernels share: the plan of tiles, which keys a query sees, scores. The plan, filled by
// softmax-attention/plan, holds 12 words a tile, then the block mask, then slopes and sinks as bits of f32.
// Needs the binding `plan` and in params: heads, left, right, block, mask_at, mask_batch, mask_head, mask_row,
// alibi_at, sink_at (0: absent), scale, softcap.
const LOWEST = -1.0e30;

struct Tile {
  // First row of the tile within its sequence; rows of q and of k of the sequence: first, in use, held.
  start: i32, q0: i32, tq: i32, k0: i32, tk: i32, room: i32,
  prefix: i32, batch: i32, q_base: i32, k_base: i32,
}

fn tileAt(i: u32) -> Tile {
  let at = i * 12u;
  return Tile(plan[at], plan[at + 1u], plan[at + 2u], plan[at + 3u], plan[at + 4u], plan[at + 5u], plan[at + 6u],
    plan[at + 7u], plan[at + 8u], plan[at + 9u]);
}

// Keys [low, high) that query i of the sequence sees, before blocks.
fn lowOf(t: Tile, i: i32) -> i32 { return max(0, i + t.tk - t.tq - params.left); }
fn highOf(t: Tile, i: i32) -> i32 { return min(t.tk, max(t.prefix, i + t.tk - t.tq + params.right + 1)); }

fn openBlock(t: Tile, h: u32, i: i32, j: i32) -> bool {
  let row = u32(t.q_base + i) / params.block;
  let column = u32(t.k_base + j) / params.block;
  return plan[params.mask_at + u32(t.batch) * params.mask_batch + h * params.mask_head + row * params.mask_row + column] != 0;
}

// Four pairs at once: loops over them would be unrolled into four copies of everything.
fn sees(t: Tile, h: u32, i: vec4<i32>, j: vec4<i32>) -> vec4<bool> {
  let place = i + (t.tk - t.tq);
  let low = max(vec4(0), place - params.left);
  let high = min(vec4(t.tk), max(vec4(t.prefix), place + (params.right + 1)));
  let inside = (i < vec4(t.tq)) & (j >= low) & (j < high);
  if (params.mask_at == 0u) { return inside; }
  let rows = clamp(i, vec4(0), vec4(t.tq - 1));
  let columns = clamp(j, vec4(0), vec4(max(t.tk, 1) - 1));
  let open = vec4(openBlock(t, h, rows.x, columns.x), openBlock(t, h, rows.y, columns.y),
    openBlock(t, h, rows.z, columns.z), openBlock(t, h, rows.w, columns.w));
  return inside & open;
}

// Of queries [i0, i0 + m) and keys [j0, j0 + n), both inside: 0 no pair is seen, 1 some may be, 2 all are.
fn seenOf(t: Tile, h: u32, i0: i32, m: i32, j0: i32, n: i32) -> u32 {
  if (m <= 0 || n <= 0 || highOf(t, i0 + m - 1) <= j0 || lowOf(t, i0) >= j0 + n) { return 0u; }
  let inside = highOf(t, i0) >= j0 + n && lowOf(t, i0 + m - 1) <= j0;
  if (params.mask_at == 0u) { return select(1u, 2u, inside); }
  let size = i32(params.block);
  var some = false;
  var all = true;
  for (var i = i0; i < i0 + m; i = ((t.q_base + i) / size + 1) * size - t.q_base) {
    for (var j = j0; j < j0 + n; j = ((t.k_base + j) / size + 1) * size - t.k_base) {
      if (openBlock(t, h, i, j)) { some = true; } else { all = false; }
    }
  }
  return select(0u, select(1u, 2u, all && inside), some);
}

fn distanceOf(t: Tile, i: vec4<i32>, j: vec4<i32>) -> vec4<f32> { return vec4<f32>(abs(i + (t.tk - t.tq) - j)); }

fn fourFrom(i: i32) -> vec4<i32> { return vec4(i) + vec4(0, 1, 2, 3); }

fn slopeOf(h: u32) -> f32 {
  if (params.alibi_at == 0u) { return 0.0; }
  return bitcast<f32>(plan[params.alibi_at + h]);
}

// Scores and their derivatives by scale q . k, from the dot products.
struct Scores { score: vec4<f32>, turn: vec4<f32>, }

fn scoresOf(dots: vec4<f32>, slope: f32, distance: vec4<f32>) -> Scores {
  let x = dots * params.scale;
  if (params.softcap == 0.0) { return Scores(x - slope * distance, vec4(1.0)); }
  let bent = tanhFour(x / params.softcap);
  return Scores(params.softcap * bent - slope * distance, 1.0 - bent * bent);
}

// The builtin may overflow inside; the series keeps relative accuracy near zero.
fn tanhFour(x: vec4<f32>) -> vec4<f32> {
  let s = x * x;
  let series = x * (1.0 + s * (-1.0 / 3.0 + s * (2.0 / 15.0 + s * (-17.0 / 315.0 + s * (62.0 / 2835.0)))));
  let e = exp(-2.0 * abs(x));
  return select(sign(x) * (1.0 - e) / (1.0 + e), series, s < vec4(0.0625));
}
