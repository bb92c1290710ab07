// Rows move by one within each sequence: forwards to_t = x_{t-1}, BACK to_t = x_{t+1}. The edge comes in at the open end;
// the row that falls out at the other goes to out_state. An absent x or edge counts as zeros.
alias F = f32; // define: f32 | f16
override PACKED: u32 = 0u;
override BACK: u32 = 0u;
override FROM: u32 = 1u;
override EDGE: u32 = 0u;

struct Params { count: u32, tokens: u32, d: u32, time: u32, sequences: u32, }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<F>; // [tokens, D]
@group(0) @binding(2) var<storage, read> edge: array<F>; // [S, D]
@group(0) @binding(3) var<storage, read> cu: array<i32>; // [S + 1] when packed
@group(0) @binding(4) var<storage, read_write> to: array<F>; // [tokens, D]
@group(0) @binding(5) var<storage, read_write> out_state: array<F>; // [S, D]

// include shared/linear.wgsl
fn boundary(s: u32) -> u32 {
  return select(s * params.time, min(u32(max(cu[select(0u, s, PACKED == 1u)], 0)), params.time), PACKED == 1u);
}

// The last sequence that begins at or before token t: the one that holds it, as empty ones end where they begin.
fn ownerOf(t: u32) -> u32 {
  if (PACKED == 0u) { return t / params.time; }
  var s = 0u;
  var high = params.sequences - 1u;
  while (s < high) {
    let middle = (s + high + 1u) / 2u;
    if (boundary(middle) <= t) { s = middle; } else { high = middle - 1u; }
  }
  return s;
}

fn edgeAt(s: u32, d: u32) -> F {
  if (EDGE == 1u) { return edge[s * params.d + d]; }
  return F(0.0);
}

fn rowAt(t: u32, d: u32) -> F {
  if (FROM == 1u) { return x[t * params.d + d]; }
  return F(0.0);
}

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let i = linearIndex(id, groups);
  if (i >= params.count) { return; }
  let d = i % params.d;
  let t = i / params.d;
  if (t < params.sequences) {
    let first = boundary(t);
    let end = max(first, boundary(t + 1u));
    if (end > first) {
      out_state[i] = rowAt(select(end - 1u, first, BACK == 1u), d);
    } else {
      out_state[i] = edgeAt(t, d);
    }
  }
  if (t >= params.tokens) { return; }
  let s = ownerOf(t);
  if (BACK == 1u) {
    if (t + 1u == max(boundary(s), boundary(s + 1u))) { to[i] = edgeAt(s, d); } else { to[i] = rowAt(t + 1u, d); }
  } else {
    if (t == boundary(s)) { to[i] = edgeAt(s, d); } else { to[i] = rowAt(t - 1u, d); }
  }
}
