"""Golden values of causal convolution with long filters: torch.nn.functional.conv1d in f64, with all gradients.

Run:  python test/golden/make/long_convolution.py > test/golden/long-convolution.json
(needs torch). Inputs come from a formula and are not stored. The same sum by zero-padded transforms, as in the `fftconv`
of the safari and zoology code bases (torch.fft, twice the length), is held to conv1d here. BaseConv is equation 4 of
Zoology, and the block of its code: SiLU on both branches, u added to the product, h * u + u in place of h * u.
"""

import json

import torch
import torch.nn.functional as F
from blocks_common import rounded, values

torch.set_default_dtype(torch.float64)


def drawn(name, shape, scale=2.0):
    return torch.tensor(values(name, shape, scale), requires_grad=True)


def convolve(u, h, past):
    """u [B,T,D], h [W,D] newest first, past [B,W-1,D]; conv1d correlates, so taps are reversed."""
    x = torch.cat((past, u), 1).transpose(1, 2)
    return F.conv1d(x, h.flip(0).t().unsqueeze(1), groups=u.shape[2]).transpose(1, 2)


def by_transform(u, h):
    n = 2 * u.shape[1]
    spectrum = torch.fft.rfft(u.transpose(1, 2), n=n) * torch.fft.rfft(h.t(), n=n)
    return torch.fft.irfft(spectrum, n=n)[..., : u.shape[1]].transpose(1, 2)


CASES = [
    ("square", dict(B=2, T=37, D=5, W=37), False),
    ("with-past", dict(B=2, T=29, D=3, W=53), True),
    ("short", dict(B=1, T=150, D=4, W=9), True),
    ("long", dict(B=1, T=331, D=2, W=331), False),
]


def run(case, dims, has_past):
    B, T, D, W = (dims[k] for k in "BTDW")
    x = dict(
        u=drawn(f"{case}/u", (B, T, D)),
        filter=drawn(f"{case}/filter", (W, D), 0.5),
        skip=drawn(f"{case}/skip", (D,)),
        gate=drawn(f"{case}/gate", (B, T, D)),
    )
    if has_past:
        x["initialState"] = drawn(f"{case}/initialState", (B, W - 1, D))
    past = x.get("initialState", torch.zeros(B, W - 1, D))
    mixed = convolve(x["u"], x["filter"], past)
    if not has_past:
        assert float((mixed - by_transform(x["u"], x["filter"])).detach().abs().max()) < 1e-12
    y = x["gate"] * (mixed + x["skip"] * x["u"])
    last = torch.cat((past, x["u"]), 1)[:, T:]
    dy = drawn(f"{case}/dy", y.shape)
    dlast = drawn(f"{case}/dfinalState", last.shape)
    grads = torch.autograd.grad((y * dy).sum() + (last * dlast).sum(), list(x.values()))
    return dict(
        name=case,
        inputs={k: list(v.shape) for k, v in x.items()},
        y=rounded(y),
        gradients={k: rounded(g) for k, g in zip(x, grads)},
    )


def base_conv(code):
    B, T, D = 2, 11, 4
    name = "base-conv"
    x = dict(
        u=drawn(f"{name}/u", (B, T, D)),
        weight=drawn(f"{name}/weight", (D, D)),
        bias=drawn(f"{name}/bias", (D,)),
        filter=drawn(f"{name}/filter", (T, D)),
    )
    mixed = convolve(x["u"], x["filter"], torch.zeros(B, T - 1, D))
    projected = F.linear(x["u"], x["weight"], x["bias"])
    if code:
        y = F.silu(mixed + x["u"]) * F.silu(projected) + x["u"]
    else:
        x["filterBias"] = drawn(f"{name}/filterBias", (D,))
        y = projected * (mixed + x["filterBias"])
    dy = drawn(f"{name}/dy", y.shape)
    grads = torch.autograd.grad((y * dy).sum(), list(x.values()))
    return dict(
        inputs={k: list(v.shape) for k, v in x.items()},
        y=rounded(y),
        gradients={k: rounded(g) for k, g in zip(x, grads)},
    )


print(
    json.dumps(
        dict(
            provenance="torch.nn.functional.conv1d in f64, torch " + torch.__version__.split("+")[0],
            cases=[run(*c) for c in CASES],
            baseConv=dict(paper=base_conv(False), code=base_conv(True)),
        )
    )
)
