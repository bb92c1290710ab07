"""Golden values of the diagonal-plus-low-rank recurrence: upstream's own loop in f64, with all gradients by autograd.

Run:  python test/golden/make/dplr.py PATH/naive.py > test/golden/dplr.json
(needs torch, einops, numpy). PATH is fla/ops/generalized_delta_rule/dplr/naive.py of the package
flash-linear-attention, of which 0.6.0 was used; only the functions `dplr_recurrence` and `dplr_chunkwise` are read
from the file. Upstream is heads first ([B,H,T,K]), scales q by K^-1/2, and calls `alpha` what reads the state (a here)
and `beta` what the correction writes (b here). Its chunked form must agree with its loop where T fills whole chunks.
Inputs come from a formula and are not stored.
"""

import ast
import json
import sys

import numpy as np
import torch
from blocks_common import rounded, values
from einops import rearrange

torch.set_default_dtype(torch.float64)
# Upstream casts to f32 inside; here that means f64, so that only its formulas are compared.
torch.Tensor.float = torch.Tensor.double
torch.float = torch.float64


def upstream(path):
    tree = ast.parse(open(path).read())
    names = ("dplr_recurrence", "dplr_chunkwise")
    wanted = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in names]
    space = dict(torch=torch, rearrange=rearrange)
    exec(compile(ast.Module(body=wanted, type_ignores=[]), path, "exec"), space)
    return [space[name] for name in names]


# name, dims, [scale, shift] of the decay, whether a and b share a direction as in RWKV-7, initial state
CASES = [
    ("rwkv-7", dict(B=2, T=9, H=2, K=12, V=7), [0.6065, -0.30325], True, True),
    ("chunks", dict(B=1, T=64, H=1, K=8, V=4), [0.6065, -0.30325], True, True),
    ("free", dict(B=1, T=19, H=2, K=6, V=9), [1.0, -0.5], False, False),
    ("strong-decay", dict(B=1, T=29, H=1, K=5, V=8), [40.0, -40.0], True, True),
    ("no-decay", dict(B=1, T=17, H=1, K=12, V=4), [0.0, 0.0], True, True),
]


def stored(exact):
    """Rounded to f32, so that every precision starts from the same numbers."""
    return torch.tensor(np.float32(exact).astype(np.float64), requires_grad=True)


def inputs_of(case, dims, decay, tied, initial):
    B, T, H, K, V = (dims[n] for n in "BTHKV")
    draw = lambda name, shape, scale=2.0: values(f"{case}/{name}", shape, scale)
    key = (B, T, H, K)
    a = draw("a", key, 1.0)
    b = -a * (draw("alpha", (B, T, H, 1), 1.0) + 0.5) if tied else draw("b", key, 1.0)
    x = dict(
        q=stored(draw("q", key)), k=stored(draw("k", key)), v=stored(draw("v", (B, T, H, V))), a=stored(a), b=stored(b),
        decay=stored(draw("decay", key, 1.0) * decay[0] + decay[1]),
    )
    if initial:
        x["initialState"] = stored(draw("initialState", (B, H, K, V)))
    return x


def run(loop, chunks, case, dims, decay, tied, initial):
    x = inputs_of(case, dims, decay, tied, initial)
    first = lambda t: t.transpose(1, 2)
    given = [first(x[n]) for n in ("q", "k", "v", "a", "b", "decay")]
    y, last = loop(*given, initial_state=x.get("initialState"))
    if dims["T"] % 32 == 0:
        other, end = chunks(*given, initial_state=x.get("initialState"))
        assert torch.allclose(y, other, rtol=1e-10, atol=1e-10) and torch.allclose(last, end, rtol=1e-10, atol=1e-10)
    y = y.transpose(1, 2)
    dy = stored(values(f"{case}/dy", tuple(y.shape), 2.0)).detach()
    dlast = stored(values(f"{case}/dfinalState", tuple(last.shape), 2.0)).detach()
    grads = torch.autograd.grad((y * dy).sum() + (last * dlast).sum(), list(x.values()))
    return dict(
        name=case, dims=dims, decay=decay, tied=tied, inputs={k: list(v.shape) for k, v in x.items()},
        y=rounded(y), finalState=rounded(last), gradients={k: rounded(g) for k, g in zip(x, grads)},
    )


loop, chunks = upstream(sys.argv[1])
print(json.dumps({
    "source": f"flash-linear-attention 0.6.0 dplr_recurrence in f64, torch {torch.__version__}",
    "cases": [run(loop, chunks, *case) for case in CASES],
}))
