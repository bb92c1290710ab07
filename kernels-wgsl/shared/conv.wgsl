// The sequence a causal convolution sees: W-1 values of state, then the T inputs. Needs params, x and state.
fn extended(b: u32, m: u32, d: u32) -> f32 {
  let w1 = params.width - 1u;
  if (m >= w1) { return x[(b * params.time + m - w1) * params.d + d]; }
  if (STATE == 1u) { return state[(b * params.d + d) * w1 + m]; }
  return 0.0;
}
