#!/usr/bin/env python3
"""Golden outputs of operators from PyTorch (f64) and from upstream's selective_scan_ref.

    python3 operators.py --mamba-ssm PATH/selective_scan_interface.py > ../operators.json

PATH is the file of that name in the source distribution of the package mamba-ssm (2.2.4 was used); only its function
`selective_scan_ref` is loaded. Inputs are not stored: element i of an input with seed s and scale c is
c * (((i * 2654435761 + s * 40503) mod 65536) / 65536 - 0.5), exact in f32 for the scales used.
"""
import argparse
import ast
import json
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
# Upstream casts to f32 inside; here it computes in f64, so that only its formulas are compared.
torch.Tensor.float = torch.Tensor.double


def draw(shape, seed, scale=2.0, shift=0.0):
    n = 1
    for d in shape:
        n *= d
    v = [((i * 2654435761 + seed * 40503) % 65536) / 65536 - 0.5 for i in range(n)]
    return torch.tensor([shift + scale * x for x in v]).reshape(shape)


def number(x):
    return float(f"{x:.12g}")


def case(op, name, inputs, outputs_of, params=None, integers=None, note="torch"):
    """inputs: name -> (shape, seed, scale, shift); outputs_of(tensors) -> dict of tensors."""
    tensors = {k: draw(*v).requires_grad_(True) for k, v in inputs.items()}
    ints = {k: torch.tensor(v) for k, v in (integers or {}).items()}
    outputs = outputs_of({**tensors, **ints})
    weighted = sum((o * draw(o.shape, 90 + i)).sum() for i, o in enumerate(outputs.values()) if o.dtype.is_floating_point)
    grads = torch.autograd.grad(weighted, list(tensors.values()), allow_unused=True)
    flat = lambda t: [number(x) for x in t.detach().reshape(-1).tolist()]
    return dict(
        op=op, name=name, source=note, params=params or {},
        inputs={k: dict(shape=v[0], seed=v[1], scale=v[2] if len(v) > 2 else 2.0, shift=v[3] if len(v) > 3 else 0.0) for k, v in inputs.items()},
        integers={k: v for k, v in (integers or {}).items()},
        outputs={k: flat(o) for k, o in outputs.items()},
        gradients={k: flat(g) for k, g in zip(tensors, grads) if g is not None},
    )


def load_upstream_scan(path):
    tree = ast.parse(open(path).read())
    wanted = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "selective_scan_ref"]
    from einops import rearrange, repeat
    space = dict(torch=torch, F=F, rearrange=rearrange, repeat=repeat)
    exec(compile(ast.Module(body=wanted, type_ignores=[]), path, "exec"), space)
    return space["selective_scan_ref"]


def scan_case(upstream, name, B, T, D, N, G, extra, softplus):
    inputs = dict(u=([B, T, D], 1), delta=([B, T, D], 2, 1.0, 0.5), A=([D, N], 3, 2.0, -1.5),
                  B=([B, T, G, N], 4), C=([B, T, G, N], 5))
    if "D" in extra:
        inputs["D"] = ([D], 6)
    if "z" in extra:
        inputs["z"] = ([B, T, D], 7, 4.0)
    if "deltaBias" in extra:
        inputs["deltaBias"] = ([D], 8, 1.0)

    def run(t):
        # Upstream is channels first: [B,D,L]; B and C [B,G,N,L].
        y, last = upstream(
            t["u"].transpose(1, 2), t["delta"].transpose(1, 2), t["A"], t["B"].permute(0, 2, 3, 1), t["C"].permute(0, 2, 3, 1),
            D=t.get("D"), z=t["z"].transpose(1, 2) if "z" in t else None, delta_bias=t.get("deltaBias"),
            delta_softplus=softplus, return_last_state=True)
        return dict(y=y.transpose(1, 2), finalState=last)

    return case("selective-scan", name, inputs, run, dict(softplus=softplus), note="mamba-ssm 2.2.4 selective_scan_ref in f64")


def attention(t, causal):
    q, k, v = (t[n].transpose(1, 2) for n in "qkv")
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, 1) for x in (k, v))
    s = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if causal:
        s = s + torch.full(s.shape[-2:], float("-inf")).triu(1 + k.shape[-2] - q.shape[-2])
    return dict(y=(s.softmax(-1) @ v).transpose(1, 2))


def conv(t):
    W = t["weight"].shape[1]
    x = torch.cat([t["state"], t["x"].transpose(1, 2)], -1)
    y = F.conv1d(x, t["weight"][:, None], t["bias"], groups=x.shape[1])
    return dict(y=y.transpose(1, 2), finalState=x[:, :, x.shape[-1] - W + 1:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mamba-ssm", required=True)
    upstream = load_upstream_scan(parser.parse_args().mamba_ssm)
    x = ([3, 37], 1, 8.0)
    unary = dict(silu=F.silu, sigmoid=torch.sigmoid, tanh=torch.tanh, relu=F.relu, softplus=F.softplus, exp=torch.exp,
                 gelu=lambda v: 0.5 * v * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (v + 0.044715 * v ** 3))))
    cases = [case(f"ops/{k}", "map", dict(x=x), lambda t, f=f: dict(y=f(t["x"]))) for k, f in unary.items()]
    cases += [
        case("ops/softmax", "rows", dict(x=x), lambda t: dict(y=t["x"].softmax(-1))),
        case("ops/log-softmax", "rows", dict(x=x), lambda t: dict(y=t["x"].log_softmax(-1))),
        case("ops/cross-entropy", "rows", dict(logits=([4, 11], 1, 8.0)),
             lambda t: dict(loss=F.cross_entropy(t["logits"], t["targets"], reduction="none")), integers=dict(targets=[3, 0, 10, 3])),
        case("ops/layer-norm", "affine", dict(x=x, weight=([37], 2), bias=([37], 3)),
             lambda t: dict(y=F.layer_norm(t["x"], [37], t["weight"], t["bias"], 1e-5))),
        case("ops/rms-norm", "weight", dict(x=x, weight=([37], 2)),
             lambda t: dict(y=t["x"] * (t["x"].square().mean(-1, keepdim=True) + 1e-5).rsqrt() * t["weight"])),
        case("ops/matmul", "nt", dict(a=([2, 5, 7], 1), b=([2, 6, 7], 2)),
             lambda t: dict(y=t["a"] @ t["b"].transpose(-1, -2)), dict(transposeB=True)),
        case("ops/matmul", "bias", dict(a=([2, 5, 7], 1), b=([7, 6], 2), bias=([6], 3)), lambda t: dict(y=t["a"] @ t["b"] + t["bias"])),
        case("ops/gather", "rows", dict(table=([7, 5], 1)), lambda t: dict(y=t["table"][t["ids"]]), integers=dict(ids=[6, 0, 6, 2])),
        case("ops/cumsum", "time", dict(x=([2, 13, 3], 1)), lambda t: dict(y=t["x"].cumsum(1)), dict(axis=1)),
        case("ops/logsumexp", "rows", dict(x=x), lambda t: dict(y=t["x"].logsumexp(1)), dict(axis=1)),
        case("ops/causal-conv1d", "state", dict(x=([2, 7, 5], 1), weight=([5, 4], 2), bias=([5], 3), state=([2, 5, 3], 4)), conv),
        case("softmax-attention", "grouped", dict(q=([1, 7, 4, 5], 1, 4.0), k=([1, 9, 2, 5], 2, 4.0), v=([1, 9, 2, 3], 3)), lambda t: attention(t, True)),
        case("softmax-attention", "full", dict(q=([2, 5, 2, 4], 1, 4.0), k=([2, 6, 2, 4], 2, 4.0), v=([2, 6, 2, 3], 3)), lambda t: attention(t, False), dict(causal=False)),
        scan_case(upstream, "plain", 2, 13, 6, 4, 1, [], False),
        scan_case(upstream, "everything", 1, 29, 8, 5, 2, ["D", "z", "deltaBias"], True),
        scan_case(upstream, "one-token", 2, 1, 4, 3, 1, ["D"], True),
    ]
    json.dump(dict(torch=torch.__version__, formula="c * (((i * 2654435761 + s * 40503) mod 65536) / 65536 - 0.5) + shift", cases=cases), sys.stdout)


main()
