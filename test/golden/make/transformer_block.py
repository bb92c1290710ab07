"""Golden values of a pre-norm transformer block written with torch operations: output and all gradients, in f64.

Run:  python test/golden/make/transformer_block.py > test/golden/transformer-block.json     (needs torch)
RMSNorm eps 1e-5; RoPE pairs (i, i + K/2), base 10000, as in transformers' rotate_half; grouped key/value heads; MLP
with the tanh GELU, and a second block with SwiGLU.
"""

import json
import math

import torch
from blocks_common import rounded, values

torch.set_default_dtype(torch.float64)
B, T, WIDTH, HEADS, KV, HIDDEN = 2, 7, 12, 3, 1, 20
K = WIDTH // HEADS


def norm(x, weight):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight


def rotate(x):
    frequency = 10000.0 ** (-torch.arange(0, K, 2) / K)
    angle = torch.arange(T)[:, None] * frequency[None, :]
    cos = torch.cat([angle.cos(), angle.cos()], -1)[None, :, None, :]
    sin = torch.cat([angle.sin(), angle.sin()], -1)[None, :, None, :]
    half = torch.cat([-x[..., K // 2 :], x[..., : K // 2]], -1)
    return x * cos + half * sin


def gelu(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def block(x, p, mlp):
    h = norm(x, p["norm1"])
    q = rotate((h @ p["q"].T).view(B, T, HEADS, K))
    k = rotate((h @ p["k"].T).view(B, T, KV, K)).repeat_interleave(HEADS // KV, 2)
    v = (h @ p["v"].T).view(B, T, KV, K).repeat_interleave(HEADS // KV, 2)
    scores = torch.einsum("bihk,bjhk->bhij", q, k) / math.sqrt(K)
    scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
    x = x + torch.einsum("bhij,bjhk->bihk", scores.softmax(-1), v).reshape(B, T, WIDTH) @ p["o"].T
    h = norm(x, p["norm2"])
    up = h @ p["mlp.up"].T
    hidden = gelu(up) if mlp == "gelu" else torch.nn.functional.silu(h @ p["mlp.gate"].T) * up
    return x + hidden @ p["mlp.down"].T


shapes = {
    "norm1": (WIDTH,), "q": (WIDTH, WIDTH), "k": (KV * K, WIDTH), "v": (KV * K, WIDTH), "o": (WIDTH, WIDTH),
    "norm2": (WIDTH,), "mlp.gate": (HIDDEN, WIDTH), "mlp.up": (HIDDEN, WIDTH), "mlp.down": (WIDTH, HIDDEN),
}
result = {
    "source": f"torch {torch.__version__}, operations written out in transformer_block.py, f64",
    "dims": {"B": B, "T": T, "width": WIDTH, "heads": HEADS, "keyValueHeads": KV, "hidden": HIDDEN},
}
for mlp in ("gelu", "swiglu"):
    used = {n: s for n, s in shapes.items() if n != "mlp.gate" or mlp == "swiglu"}
    p = {n: torch.tensor(values(n, s, 2.0), requires_grad=True) for n, s in used.items()}
    x = torch.tensor(values("x", (B, T, WIDTH), 4.0), requires_grad=True)
    y = block(x, p, mlp)
    y.backward(torch.tensor(values("dy", (B, T, WIDTH), 2.0)))
    result[mlp] = {"y": rounded(y), "grad.x": rounded(x.grad), **{f"grad.{n}": rounded(t.grad) for n, t in p.items()}}
print(json.dumps(result))
