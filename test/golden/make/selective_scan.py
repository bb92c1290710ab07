"""Golden values of the selective scan: upstream's own reference, computed in f64, with all gradients by autograd.

Run:  python test/golden/make/selective_scan.py PATH/selective_scan_interface.py > test/golden/selective-scan.json
(needs torch, einops, mpmath). PATH is the unpacked source distribution of the package mamba-ssm, of which 2.2.4 was
used (mamba_ssm/ops); only the function `selective_scan_ref` is read from the file. Inputs come from a formula and are not stored.
Softplus is also given by mpmath at the places where a naive one loses its digits.
"""

import ast
import json
import sys

import mpmath
import numpy as np
import torch
import torch.nn.functional as F
from blocks_common import rounded, values
from einops import rearrange, repeat

torch.set_default_dtype(torch.float64)
# Upstream casts to f32 inside; here that means f64, so that only its formulas are compared.
torch.Tensor.float = torch.Tensor.double


def upstream(path):
    tree = ast.parse(open(path).read())
    wanted = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "selective_scan_ref"]
    space = dict(torch=torch, F=F, rearrange=rearrange, repeat=repeat)
    exec(compile(ast.Module(body=wanted, type_ignores=[]), path, "exec"), space)
    return space["selective_scan_ref"]


# name, dims, [scale, shift] of delta, optional inputs, softplus, inputs without time
CASES = [
    ("groups", dict(B=2, T=13, D=12, N=6, G=3), [4.0, -1.0], ["D", "z", "deltaBias"], True, []),
    ("every-channel-a-group", dict(B=1, T=23, D=4, N=5, G=4), [0.5, 0.3], ["z"], False, []),
    ("prime-time", dict(B=1, T=101, D=4, N=4, G=1), [2.0, -2.0], ["D", "deltaBias"], True, []),
    ("wide-state", dict(B=1, T=5, D=3, N=64, G=1), [0.5, 0.3], ["D", "z"], False, []),
    ("fixed", dict(B=2, T=13, D=6, N=5, G=1), [2.0, -1.0], ["D", "z", "deltaBias"], True, ["B", "C"]),
    ("fixed-input", dict(B=1, T=17, D=6, N=5, G=2), [0.5, 0.3], ["D"], False, ["B"]),
    ("fixed-output", dict(B=1, T=17, D=6, N=5, G=2), [0.5, 0.3], ["deltaBias"], True, ["C"]),
    ("huge-steps", dict(B=1, T=29, D=4, N=4, G=2), [40.0, 40.0], ["D"], False, []),
    ("huge-steps-softplus", dict(B=1, T=29, D=4, N=4, G=1), [40.0, 40.0], ["D", "z", "deltaBias"], True, []),
    ("tiny-steps-softplus", dict(B=1, T=29, D=4, N=4, G=1), [8.0, -16.0], ["z"], True, []),
]


def drawn(case, name, shape, scale=2.0, shift=0.0):
    """Rounded to f32, so that every precision starts from the same numbers."""
    exact = np.float32(values(f"{case}/{name}", shape, scale) + shift)
    return torch.tensor(exact.astype(np.float64), requires_grad=True)


def run(scan, case, dims, delta, optional, softplus, fixed):
    B, T, D, N, G = (dims[k] for k in "BTDNG")
    x = dict(
        u=drawn(case, "u", (B, T, D)),
        delta=drawn(case, "delta", (B, T, D), *delta),
        A=drawn(case, "A", (D, N), 2.0, -1.25),
        B=drawn(case, "B", (D, N) if "B" in fixed else (B, T, G, N)),
        C=drawn(case, "C", (D, N) if "C" in fixed else (B, T, G, N)),
    )
    if "D" in optional:
        x["D"] = drawn(case, "D", (D,))
    if "z" in optional:
        x["z"] = drawn(case, "z", (B, T, D), 4.0)
    if "deltaBias" in optional:
        x["deltaBias"] = drawn(case, "deltaBias", (D,))
    # Upstream is channels first: [B,D,L], and [B,G,N,L] for what varies.
    turned = lambda t: t if t is None or t.dim() == 2 else t.permute(0, 2, 3, 1)
    y, last = scan(
        x["u"].transpose(1, 2), x["delta"].transpose(1, 2), x["A"], turned(x["B"]), turned(x["C"]), D=x.get("D"),
        z=x["z"].transpose(1, 2) if "z" in x else None, delta_bias=x.get("deltaBias"), delta_softplus=softplus,
        return_last_state=True,
    )
    y = y.transpose(1, 2)
    dy = drawn(case, "dy", (B, T, D))
    dlast = drawn(case, "dfinalState", (B, D, N))
    grads = torch.autograd.grad((y * dy).sum() + (last * dlast).sum(), list(x.values()))
    return dict(
        name=case, dims=dims, softplus=softplus, delta=delta, inputs={k: list(v.shape) for k, v in x.items()},
        y=rounded(y), finalState=rounded(last), gradients={k: rounded(g) for k, g in zip(x, grads)},
    )


mpmath.mp.prec = 200
places = [-80.0, -20.0, -16.0, -15.5, -12.0, -5.0, -1.0, 0.0, 1.0, 10.0, 19.9, 20.0, 20.1, 40.0]
soft = [[x, float(mpmath.log1p(mpmath.exp(mpmath.mpf(x)))), float(1 / (1 + mpmath.exp(-mpmath.mpf(x))))] for x in places]
scan = upstream(sys.argv[1])
print(json.dumps({
    "source": f"mamba-ssm 2.2.4 selective_scan_ref in f64, torch {torch.__version__}; softplus by mpmath {mpmath.__version__}",
    "softplus": soft,
    "cases": [run(scan, *case) for case in CASES],
}))
