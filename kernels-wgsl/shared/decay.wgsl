// e^x of a log-decay that is applied token by token. Near 0 the builtin may miss the last places, and a recurrence over
// thousands of tokens that hardly fade would repeat the miss every time; the series is as good as its rounding.
fn decayOf(x: f32) -> f32 {
  if (abs(x) > 0.25) { return exp(x); }
  return 1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0 + x / 720.0)))));
}
