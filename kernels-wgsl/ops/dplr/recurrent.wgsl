// Token by token, one workgroup a sequence, head and block of columns; PARTS invocations share a column of the state.
// Forwards: r = a^T S, S <- e^g S + b r + k v, y = q^T S. Reversed, on the gradient G of the state: G <- G + q dy,
// x = b^T G, dv = k^T G, G <- e^g G + a x. With `kept`, what enters every slot of 16 tokens and then r (or x) is kept.
alias F = f32; // define: f32 | f16
const PARTS = 4u; // define: 4u | 16u

struct Params {
  count: u32, heads: u32, k: u32, v: u32, quads: u32, blocks: u32, seeded: u32, kept: u32, at_reads: u32, lanes: u32,
  reverse: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<vec4<f32>>; // [tokens, H, 5, quads], see pack
@group(0) @binding(2) var<storage, read> values: array<F>; // [tokens, H, V]: v or dy
@group(0) @binding(3) var<storage, read> slots: array<i32>; // [count, 4], see shared/slots
@group(0) @binding(4) var<storage, read> ranges: array<i32>; // [S, 2]: first slot, slots
@group(0) @binding(5) var<storage, read> edge: array<f32>; // [S, H, K, V]
@group(0) @binding(6) var<storage, read_write> y: array<F>; // [tokens, H, V]: y or dv
@group(0) @binding(7) var<storage, read_write> last: array<f32>; // [S, H, K, V]
@group(0) @binding(8) var<storage, read_write> kept: array<f32>; // [slots, H, K, V] states, then [tokens, H, V] reads

// include shared/slots.wgsl
const QUADS = 4u;
const COLUMNS = 256u / PARTS;
const ALL = QUADS * PARTS;
const TOKENS = 128u / ALL;
const STEP = 5u * ALL;
var<workgroup> tile: array<vec4<f32>, TOKENS * STEP>;
var<workgroup> sums: array<vec2<f32>, 256>;
var<workgroup> others: array<vec2<f32>, 256>;
var<private> state: array<vec4<f32>, QUADS>;

// Dot product of row m of a token with the part of the column.
fn product(at: u32, m: u32) -> f32 {
  var sum = vec4(0.0);
  for (var i = 0u; i < QUADS; i++) { sum += tile[at + m * ALL + i] * state[i]; }
  return sum.x + sum.y + (sum.z + sum.w);
}

fn total(from_others: bool, column: u32) -> vec2<f32> {
  var sum = vec2(0.0);
  for (var i = column; i < params.lanes; i += COLUMNS) {
    if (from_others) { sum += others[i]; } else { sum += sums[i]; }
  }
  return sum;
}

// The part of a column that starts at element `at` of a state, to or from memory.
fn store(target_kept: bool, at: u32, first: u32) {
  for (var i = 0u; i < QUADS; i++) {
    let four = state[i];
    let key = (first + i) * 4u;
    for (var n = 0u; n < 4u; n++) {
      if (key + n < params.k) {
        if (target_kept) { kept[at + (key + n) * params.v] = four[n]; } else { last[at + (key + n) * params.v] = four[n]; }
      }
    }
  }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let item = wg.x + wg.y * wgs.x;
  if (item >= params.count) { return; }
  let owner = item / params.blocks; // sequence and head
  let head = owner % params.heads;
  let column = lane % COLUMNS;
  let part = lane / COLUMNS * QUADS;
  let v = (item % params.blocks) * COLUMNS + column;
  let live = v < params.v;
  let writes = live && part == 0u;
  let edges = owner * params.k * params.v + v;
  for (var i = 0u; i < QUADS; i++) {
    var four = vec4(0.0);
    for (var n = 0u; n < 4u; n++) {
      let key = (part + i) * 4u + n;
      if (params.seeded == 1u && live && key < params.k) { four[n] = edge[edges + key * params.v]; }
    }
    state[i] = four;
  }
  let sequence = owner / params.heads;
  let first = u32(ranges[sequence * 2u]);
  let count = u32(ranges[sequence * 2u + 1u]);
  for (var c = 0u; c < count; c++) {
    let number = first + select(c, count - 1u - c, params.reverse == 1u);
    let slot = slotAt(number);
    if (params.kept == 1u && live) { store(true, (number * params.heads + head) * params.k * params.v + v, part); }
    for (var t0 = 0u; t0 < slot.size; t0 += TOKENS) {
      // Backwards the tiles come from the end; the last one may be short.
      let tokens = min(TOKENS, slot.size - t0);
      let begin = slot.begin + select(t0, slot.size - t0 - tokens, params.reverse == 1u);
      workgroupBarrier();
      for (var i = lane; i < tokens * STEP; i += 256u) {
        let quad = i % ALL;
        tile[i] = vec4(0.0);
        if (quad < params.quads) {
          tile[i] = rows[(((begin + i / STEP) * params.heads + head) * 5u + i % STEP / ALL) * params.quads + quad];
        }
      }
      workgroupBarrier();
      for (var n = 0u; n < tokens; n++) {
        let t = select(n, tokens - 1u - n, params.reverse == 1u);
        let row = t * STEP + part;
        let at = ((begin + t) * params.heads + head) * params.v + v;
        var given = 0.0;
        if (live) { given = f32(values[at]); }
        if (params.reverse == 1u) {
          for (var i = 0u; i < QUADS; i++) { state[i] += tile[row + 3u * ALL + i] * given; }
          // Two tokens in turn use two arrays: a barrier a token is enough.
          let odd = (n & 1u) == 1u;
          let mine = vec2(product(row, 2u), product(row, 1u));
          if (odd) { others[lane] = mine; } else { sums[lane] = mine; }
          workgroupBarrier();
          let made = total(odd, column);
          for (var i = 0u; i < QUADS; i++) { state[i] = tile[row + i] * state[i] + tile[row + 4u * ALL + i] * made.y; }
          if (writes) { y[at] = F(made.x); }
          if (writes && params.kept == 1u) { kept[params.at_reads + at] = made.y; }
        } else {
          sums[lane] = vec2(product(row, 4u), 0.0);
          workgroupBarrier();
          let r = total(false, column).x;
          for (var i = 0u; i < QUADS; i++) {
            state[i] = tile[row + i] * state[i] + tile[row + ALL + i] * r + tile[row + 2u * ALL + i] * given;
          }
          others[lane] = vec2(product(row, 3u), 0.0);
          workgroupBarrier();
          if (writes) { y[at] = F(total(true, column).x); }
          if (writes && params.kept == 1u) { kept[params.at_reads + at] = r; }
        }
      }
    }
  }
  if (live) { store(false, edges, part); }
}
