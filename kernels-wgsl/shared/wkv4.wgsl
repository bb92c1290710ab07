// WKV of RWKV-4: sums a e^p and b e^p with p = c + n w, where c is the key (or pp) that was the largest and n the tokens
// since. Adding w to p token by token would round every time, always the same way. The token of c is `from`, counted from 1
// over the batch; 0 for the initial state. Rows of kept states stand every TILE tokens of a sequence.
const EMPTY = -1.0e38;
const TILE = 16u;

struct State { a: f32, b: f32, c: f32, n: f32, from_token: u32, }

// Two exponents apart: the larger is subtracted from both, so that one exponential serves both sides.
fn sides(apart: f32) -> vec2<f32> {
  let e = exp(-abs(apart));
  return select(vec2(1.0, e), vec2(e, 1.0), apart < 0.0);
}

// Weights of the state and of a token that reads it with bonus u.
fn reading(h: State, w: f32, u: f32, k: f32) -> vec2<f32> {
  return sides((h.c - k) + (h.n * w - u));
}

// Distance of the state, decayed once more, from a key: below 0 where the key is the largest now.
fn distance(h: State, w: f32, k: f32) -> f32 {
  return (h.c - k) + (h.n + 1.0) * w;
}

// The state after token t of key k and value v.
fn advance(h: State, w: f32, k: f32, v: f32, t: u32) -> State {
  let apart = distance(h, w, k);
  let f = sides(apart);
  let own = apart < 0.0;
  return State(f.x * h.a + f.y * v, f.x * h.b + f.y, select(h.c, k, own), select(h.n + 1.0, 0.0, own), select(h.from_token, t + 1u, own));
}

// A state as four words, and back before token t of a sequence that begins at `first`.
fn packed(h: State) -> vec4<u32> {
  return vec4(bitcast<vec3<u32>>(vec3(h.a, h.b, h.c)), h.from_token);
}

fn unpacked(words: vec4<u32>, t: u32, first: u32) -> State {
  let v = bitcast<vec3<f32>>(words.xyz);
  return State(v.x, v.y, v.z, f32(t - select(words.w, first, words.w == 0u)), words.w);
}

// First row of kept states of a slot in chunks of `chunk` tokens: the same row whatever the chunk.
fn keptRow(begin: u32, sequence: u32, number: u32, chunk: u32) -> u32 {
  let before = number * chunk;
  return (begin - before) / TILE + sequence + before / TILE;
}
