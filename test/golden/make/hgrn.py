"""Golden values of the HGRN recurrence: upstream's naive_recurrent_hgrn in f64, with all gradients by autograd.

Run:  python test/golden/make/hgrn.py PATH/naive.py > test/golden/hgrn.json
(needs torch). PATH is fla/ops/hgrn/naive.py of flash-linear-attention, of which 0.6.0 was used; only its two functions
are read. The lines before and after the recurrence are those of fla's layer and model: lower bounds, gates, norm.
Inputs come from a formula and are not stored. naive_chunk_hgrn is run too: it agrees only when T is the chunk size.
"""

import ast
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
from blocks_common import rounded, values

torch.set_default_dtype(torch.float64)
# Upstream casts to f32 inside; here that means f64, so that only its formulas are compared.
torch.Tensor.float = torch.Tensor.double
torch.float = torch.float64


def upstream(path):
    tree = ast.parse(open(path).read())
    wanted = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    space = dict(torch=torch)
    exec("from __future__ import annotations", space)
    exec(compile(ast.Module(body=wanted, type_ignores=[]), path, "exec"), space)
    return space["naive_recurrent_hgrn"], space["naive_chunk_hgrn"]


def drawn(name, shape, scale=2.0, shift=0.0):
    exact = np.float32(values(name, shape, scale) + shift)
    return torch.tensor(exact.astype(np.float64), requires_grad=True)


# name, dims, [scale, shift] of the raw gate, lower bound of layer 2 of 4?
CASES = [
    ("first-layer", dict(B=2, T=13, D=5), [4.0, 1.0], False),
    ("bounded", dict(B=2, T=37, D=6), [4.0, 0.0], True),
    ("open", dict(B=1, T=61, D=4), [2.0, 12.0], True),
    ("closed", dict(B=1, T=29, D=4), [8.0, -20.0], False),
]


def run(recurrent, case, dims, gate, bounded):
    B, T, D = (dims[k] for k in "BTD")
    x = dict(
        i=drawn(f"{case}/i", (B, T, D), 4.0),
        f=drawn(f"{case}/f", (B, T, D), *gate),
        gate=drawn(f"{case}/gate", (B, T, D), 4.0),
        norm=drawn(f"{case}/norm", (D,), 1.0, 1.0),
        initialState=drawn(f"{case}/initialState", (B, D)),
    )
    if bounded:
        x["bounds"] = drawn(f"{case}/bounds", (4, D), 4.0)
    g = F.logsigmoid(x["f"])
    if bounded:
        lower_bounds = x["bounds"].softmax(0)
        lower_bounds = lower_bounds.cumsum(0) - lower_bounds[0]
        lower_bound = lower_bounds[2]
        g = torch.logaddexp(lower_bound.log(), torch.log1p(-lower_bound) + g)
    i = F.silu(x["i"]) * (1 - g.exp())
    h, last = recurrent(i, g, x["initialState"], True)
    y = h * torch.rsqrt(h.pow(2).mean(-1, keepdim=True) + 1e-5) * x["norm"] * F.silu(x["gate"])
    dy = drawn(f"{case}/dy", (B, T, D))
    dlast = drawn(f"{case}/dfinalState", (B, D))
    grads = torch.autograd.grad((y * dy).sum() + (last * dlast).sum(), list(x.values()))
    return dict(
        name=case,
        gate=gate,
        bounded=bounded,
        inputs={k: list(v.shape) for k, v in x.items()},
        g=rounded(g),
        y=rounded(y),
        finalState=rounded(last),
        gradients={k: rounded(v) for k, v in zip(x, grads)},
    )


def chunk_error(recurrent, chunk, T, size):
    x, g = drawn("chunk/x", (1, T, 3)).detach(), -drawn("chunk/g", (1, T, 3), 1.0, 0.5).detach()
    try:
        return float((recurrent(x, g)[0] - chunk(x, g, chunk_size=size)[0]).abs().max())
    except Exception as error:
        return type(error).__name__


recurrent, chunk = upstream(sys.argv[1])
print(
    json.dumps(
        dict(
            provenance="fla/ops/hgrn/naive.py of flash-linear-attention 0.6.0 in f64, torch " + torch.__version__.split("+")[0],
            cases=[run(recurrent, *c) for c in CASES],
            # Largest difference of upstream's own chunk form from its recurrence, or the error it raises.
            chunk=dict(whole=chunk_error(recurrent, chunk, 16, 16), two=chunk_error(recurrent, chunk, 32, 16)),
        )
    )
)
