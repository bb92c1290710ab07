"""Golden values of the RWKV recurrences and of the trained RWKV-7, by upstream code in f64; gradients by autograd.

Run:  python test/golden/make/rwkv.py MODELING RECURRENT DPLR NUMPY CHECKPOINT > test/golden/rwkv.json
(needs torch and numpy 2). The arguments are files:
  MODELING    transformers 4.39.3, models/rwkv/modeling_rwkv.py: rwkv_linear_attention_cpu
  RECURRENT   flash-linear-attention 0.6.0, fla/ops/rwkv6/recurrent_naive.py: naive_recurrent_rwkv6
  DPLR        the same, fla/ops/generalized_delta_rule/dplr/naive.py: dplr_recurrence
  NUMPY       RWKV-LM @ 2148350664, RWKV-v7/rwkv_v7_numpy.py: the model of one token
  CHECKPOINT  the data set tiny-rwkv7
Only functions are read from them. Inputs come from a formula and are not stored; heads come before time upstream, scale is 1.
WKV of RWKV-4 is also held to its definition, the double sum.
"""

import ast
import json
import struct
import sys
import types

import numpy as np
import torch
from blocks_common import rounded, values

torch.set_default_dtype(torch.float64)
# Upstream casts to f32 inside; here that means f64, so that only its formulas are compared.
torch.Tensor.float = torch.Tensor.double


class Wide(types.ModuleType):
    """torch with f64 in place of f32."""

    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


def functions(path, names, space):
    tree = ast.parse(open(path).read())
    named = lambda n: getattr(n, "name", None) or (n.targets[0].id if isinstance(n, ast.Assign) and hasattr(n.targets[0], "id") else None)
    wanted = [n for n in tree.body if named(n) in names and isinstance(n, (ast.FunctionDef, ast.Assign))]
    exec("from __future__ import annotations", space)
    exec(compile(ast.Module(body=wanted, type_ignores=[]), path, "exec"), space)
    return space


def drawn(name, shape, scale=2.0, shift=0.0):
    """Rounded to f32, so that every precision starts from the same numbers."""
    exact = np.float32(values(name, shape, scale) + shift)
    return torch.tensor(exact.astype(np.float64), requires_grad=True)


def finish(case, dims, x, y, last):
    dy = drawn(f"{case}/dy", y.shape)
    dlast = drawn(f"{case}/dfinalState", last.shape)
    grads = torch.autograd.grad((y * dy).sum() + (last * dlast).sum(), list(x.values()))
    return dict(
        name=case, dims=dims, inputs={k: list(v.shape) for k, v in x.items()}, y=rounded(y), finalState=rounded(last),
        gradients={k: rounded(g) for k, g in zip(x, grads)},
    )


def double_sum(k, v, w, u):
    T = k.shape[1]
    rows = []
    for t in range(T):
        past = torch.stack([(t - 1 - i) * w + k[:, i] for i in range(t)] + [u + k[:, t]])
        weights = torch.softmax(past, 0)
        rows.append((weights * v[:, : t + 1].transpose(0, 1)).sum(0))
    return torch.stack(rows, 1)


# name, dims, [scale, shift] of keys, of log-decays, initial state
WKV4 = [
    ("plain", dict(B=2, T=13, D=5), [4.0, 0.0], [1.0, -0.75], False),
    ("state", dict(B=2, T=37, D=4), [6.0, 0.0], [2.0, -1.25], True),
    ("huge-keys", dict(B=1, T=29, D=4), [256.0, 0.0], [4.0, -2.5], True),
    ("strong-decay", dict(B=1, T=23, D=3), [4.0, 0.0], [32.0, -30.0], True),
    ("no-decay", dict(B=1, T=31, D=3), [4.0, 0.0], [0.0, -0.0009765625], False),
]


def wkv4(upstream, case, dims, keys, decays, state):
    B, T, D = (dims[k] for k in "BTD")
    case = f"wkv4/{case}"
    x = dict(
        k=drawn(f"{case}/k", (B, T, D), *keys), v=drawn(f"{case}/v", (B, T, D)),
        decay=drawn(f"{case}/decay", (D,), *decays), bonus=drawn(f"{case}/bonus", (D,)),
    )
    before = None
    if state:
        shift = torch.tensor([0.0, 1.5, 0.0]).reshape(1, 3, 1)
        exact = drawn(f"{case}/initialState", (B, 3, D)).detach() + shift
        x["initialState"] = exact.requires_grad_()
        before = [x["initialState"][:, i] for i in range(3)]
    y, after = upstream(torch.log(-x["decay"]), x["bonus"], x["k"], x["v"], state=before, return_state=True)
    if not state:
        exact = double_sum(x["k"], x["v"], x["decay"], x["bonus"])
        assert (y - exact).abs().max() < 1e-12
    return dict(finish(case, dims, x, y, torch.stack(after, 1)), keys=keys, decays=decays)


# name, dims, version
WKV56 = [
    ("fixed", dict(B=2, T=13, H=2, K=4, V=3), 5),
    ("fixed-long", dict(B=1, T=71, H=1, K=3, V=4), 5),
    ("token", dict(B=2, T=13, H=2, K=4, V=3), 6),
    ("token-long", dict(B=1, T=71, H=1, K=3, V=4), 6),
]

turned = lambda t: t.transpose(1, 2)


def wkv56(upstream, case, dims, version):
    B, T, H, K, V = (dims[k] for k in "BTHKV")
    case = f"wkv{version}/{case}"
    x = dict(
        r=drawn(f"{case}/r", (B, T, H, K)), k=drawn(f"{case}/k", (B, T, H, K)), v=drawn(f"{case}/v", (B, T, H, V)),
        decay=drawn(f"{case}/decay", (H, K) if version == 5 else (B, T, H, K), 2.0, -1.0),
        bonus=drawn(f"{case}/bonus", (H, K)), initialState=drawn(f"{case}/initialState", (B, H, K, V)),
    )
    w = x["decay"].expand(B, T, H, K)
    y, last = upstream(
        turned(x["r"]), turned(x["k"]), turned(x["v"]), turned(w), x["bonus"], scale=1.0,
        initial_state=x["initialState"], output_final_state=True,
    )
    return dict(finish(case, dims, x, turned(y), last), version=version)


WKV7 = [("plain", dict(B=2, T=13, H=2, K=4, V=3)), ("long", dict(B=1, T=71, H=1, K=3, V=4))]


def wkv7(upstream, case, dims):
    B, T, H, K, V = (dims[k] for k in "BTHKV")
    case = f"wkv7/{case}"
    keys = lambda name, *scale: drawn(f"{case}/{name}", (B, T, H, K), *scale)
    x = dict(
        r=keys("r"), k=keys("k"), v=drawn(f"{case}/v", (B, T, H, V)), removal=keys("removal", 1.0),
        rate=keys("rate", 1.0, 0.5), decay=keys("decay", 0.5, -0.25),
        initialState=drawn(f"{case}/initialState", (B, H, K, V)),
    )
    y, last = upstream(
        turned(x["r"]) * K**0.5, turned(x["k"]), turned(x["v"]), turned(-x["removal"]), turned(x["removal"] * x["rate"]),
        turned(x["decay"]), initial_state=x["initialState"],
    )
    return finish(case, dims, x, turned(y), last)


def checkpoint(path):
    """Tensors of a file of rwkv.cpp, row-major, in f64."""
    data = open(path, "rb").read()
    found, at = {}, 24
    while at < len(data):
        axes, length, kind = struct.unpack_from("<3i", data, at)
        shape = struct.unpack_from(f"<{axes}i", data, at + 12)[::-1]
        at += 12 + 4 * axes
        name = data[at : at + length].decode()
        at += length
        count = int(np.prod(shape))
        dtype = np.dtype("<f4" if kind == 0 else "<f2")
        found[name] = np.frombuffer(data, dtype, count, at).astype(np.float64).reshape(shape)
        at += count * dtype.itemsize
    return found, struct.unpack_from("<6i", data)


TEXT = "The first thing that comes to mind is: where does it go?"


def model(space, path):
    weights, (_, _, vocabulary, width, layers, _) = checkpoint(path)
    space.update(N_HEAD=1, HEAD_SIZE=width, N_LAYER=layers, N_EMBD=width)

    def params(prefix):
        get = lambda name: weights[f"{prefix}.{name}"].squeeze()
        if prefix in ("emb", "head"):
            return [get("weight")]
        if prefix.endswith("ffn"):
            return [get("x_k"), get("key.weight"), get("value.weight")]
        if not prefix.endswith("att"):
            return [get("weight"), get("bias")]
        first = [*get("x_rwkvag"), get("w0"), get("r_k"), get("w1").T, get("w2").T, get("a1").T, get("a2").T, get("a0"), get("g1").T, get("g2").T]
        values = [] if prefix == "blocks.0.att" else [get("v2").T, get("v1").T, get("v0")]
        names = ["k_k", "k_a", "receptance.weight", "key.weight", "value.weight", "output.weight", "ln_x.weight", "ln_x.bias"]
        return first + values + [get(n) for n in names]

    state = (np.zeros((layers, 2, width)), np.zeros((layers, 1, width, width)))
    kept = {}
    for t, token in enumerate(TEXT.encode()):
        logits, state = space["RWKV7"](params, token, state)
        if t in (19, len(TEXT) - 1):
            kept[t] = [float(f"{v:.9g}") for v in logits]
    return dict(text=TEXT, logits=kept)


modeling, recurrent, dplr, numpy_model, bin_file = sys.argv[1:]
four = functions(modeling, ["rwkv_linear_attention_cpu"], dict(torch=Wide("torch")))["rwkv_linear_attention_cpu"]
six = functions(recurrent, ["naive_recurrent_rwkv6"], dict(torch=Wide("torch")))["naive_recurrent_rwkv6"]
seven = functions(dplr, ["dplr_recurrence"], dict(torch=Wide("torch")))["dplr_recurrence"]
names = ["layer_norm", "group_norm", "sigmoid", "time_mixing", "channel_mixing", "RWKV7"]
print(json.dumps({
    "source": f"transformers 4.39.3, flash-linear-attention 0.6.0, RWKV-LM @ 2148350664, torch {torch.__version__}, numpy {np.__version__}, in f64",
    "wkv4": [wkv4(four, *case) for case in WKV4],
    "wkv56": [wkv56(six, *case) for case in WKV56],
    "wkv7": [wkv7(seven, *case) for case in WKV7],
    "model": model(functions(numpy_model, names, dict(np=np)), bin_file),
}))
