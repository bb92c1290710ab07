"""Golden values of gated linear attention: upstream code run in f64, gradients by autograd.

Run:  python test/golden/make/gated_linear_attention.py FLA > test/golden/gated-linear-attention.json
(needs torch and einops). FLA is the folder `fla` of the packages fla-core and flash-linear-attention (0.6.0 was used).
Packages that need a GPU compiler are not imported: single functions are read out of their files. The layers of GLA and
HGRN-2 run with upstream's naive recurrence in the place of its kernels and with given numbers in the place of their
projections. Inputs come from a formula and are not stored.

Traps of upstream: the scale is K^-1/2 unless given, also for RWKV-6, which has none (1 is passed here), and for its
HGRN-2; naive_recurrent_rwkv6 takes heads before time; naive_chunk_rwkv6 has neither scale nor initial state.
"""

import ast
import json
import sys
import types

import numpy as np
import torch
import torch.nn.functional as F
from blocks_common import rounded, values
from einops import rearrange, repeat

# Upstream casts to f32 inside; here that means f64, so that only its formulas are compared.
torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double
torch.float32 = torch.float = torch.float64

FLA = sys.argv[1]


def lift(path, names, **space):
    """The named functions of a file (of classes: their methods), without importing its package."""
    tree = ast.parse(open(f"{FLA}/{path}").read())
    wanted = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name in names]
    for node in wanted:
        node.decorator_list = []
        node.returns = None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
    space = dict(torch=torch, F=F, rearrange=rearrange, repeat=repeat, **space)
    exec(compile(ast.Module(body=wanted, type_ignores=[]), path, "exec"), space)
    return types.SimpleNamespace(**{name: space[name] for name in names})


gla = lift("ops/gla/naive.py", ["naive_recurrent_gla"]).naive_recurrent_gla
simple = lift("ops/simple_gla/naive.py", ["naive_recurrent_simple_gla", "naive_chunk_simple_gla", "naive_parallel_simple_gla"])
rwkv6 = lift("ops/rwkv6/recurrent_naive.py", ["naive_recurrent_rwkv6"]).naive_recurrent_rwkv6


def kernel(q, k, v, gk, initial_state=None, output_final_state=False, **_):
    return gla(q, k, v, gk, initial_state, True)


def layer(path, **space):
    return lift(
        path, ["forward"], fused_recurrent_gla=kernel, get_layer_cache=lambda self, cache: cache,
        unpad_hidden_states=lambda x, cu, mask, n: (x, None, cu), update_layer_cache=lambda *_, **__: None,
        repad_hidden_states=lambda x, *_: x, swish=F.silu, **space,
    ).forward


gla_layer = layer("layers/gla.py")
hgrn2_layer = layer("layers/hgrn2.py", rms_norm_linear=lambda x, *_: x)


def drawn(case, name, shape, scale=2.0, shift=0.0):
    """Rounded to f32, so that every precision starts from the same numbers."""
    exact = np.float32(values(f"{case}/{name}", shape, scale) + shift)
    return torch.tensor(exact.astype(np.float64), requires_grad=True)


def record(case, x, outputs, scales={}, **more):
    """Outputs by name and the gradients of all inputs for a read-out from the formula."""
    loss = sum((t * drawn(case, f"d{name}", t.shape)).sum() for name, t in outputs.items())
    grads = torch.autograd.grad(loss, list(x.values()))
    return dict(
        name=case, inputs={k: list(v.shape) for k, v in x.items()}, scales=scales, outputs={k: rounded(v) for k, v in outputs.items()},
        gradients={k: rounded(g) for k, g in zip(x, grads)}, **more,
    )


def qkv(case, B, T, H, K, V):
    return dict(q=drawn(case, "q", (B, T, H, K)), k=drawn(case, "k", (B, T, H, K)), v=drawn(case, "v", (B, T, H, V)))


def gla_cases():
    """`raw` becomes gates by log sigmoid over a normaliser."""
    for case, B, T, raw, normalizer in [("gla", 2, 19, (4.0, 0.0), 16.0), ("gla-strong", 1, 21, (8.0, -2.0), 0.1), ("gla-open", 1, 17, (4.0, 12.0), 1.0)]:
        x = qkv(case, B, T, 2, 4, 3)
        x["raw"] = drawn(case, "raw", (B, T, 2, 4), *raw)
        x["initialState"] = drawn(case, "initialState", (B, 2, 4, 3))
        y, last = gla(x["q"], x["k"], x["v"], F.logsigmoid(x["raw"]) / normalizer, x["initialState"], True)
        yield record(case, x, dict(y=y, finalState=last), dict(raw=raw), normalizer=normalizer)


def simple_cases():
    case, T = "simple", 21
    x = qkv(case, 1, T, 2, 4, 5)
    x["g"] = drawn(case, "g", (1, T, 2), 2.0, -1.0)
    x["initialState"] = drawn(case, "initialState", (1, 2, 4, 5))
    scales = dict(g=[2.0, -1.0])
    y, last = simple.naive_recurrent_simple_gla(x["q"], x["k"], x["v"], x["g"], initial_state=x["initialState"], output_final_state=True)
    yield record(case, x, dict(y=y, finalState=last), scales, way="recurrent")
    y, last = simple.naive_chunk_simple_gla(x["q"], x["k"], x["v"], x["g"], initial_state=x["initialState"], output_final_state=True, chunk_size=8, scale=0.7)
    yield record(case, x, dict(y=y, finalState=last), scales, way="chunk", scale=0.7)
    x = {name: t for name, t in x.items() if name != "initialState"}
    y, _ = simple.naive_parallel_simple_gla(x["q"], x["k"], x["v"], x["g"])
    yield record(case, x, dict(y=y), scales, way="parallel")


def rwkv6_cases():
    """The read before the token enters the state, with a bonus: heads before time upstream."""
    first = lambda t: t.transpose(1, 2)
    for case, fixed in [("rwkv6", False), ("rwkv5", True)]:
        T = 21
        x = qkv(case, 2, T, 2, 4, 3)
        x["decay"] = drawn(case, "decay", (2, 4) if fixed else (2, T, 2, 4), 2.0, -1.0)
        x["bonus"] = drawn(case, "bonus", (2, 4))
        x["initialState"] = drawn(case, "initialState", (2, 2, 4, 3))
        w = x["decay"].expand(2, T, 2, 4)
        y, last = rwkv6(*map(first, (x["q"], x["k"], x["v"], w)), x["bonus"], 1.0, x["initialState"], True)
        yield record(case, x, dict(y=first(y), finalState=last), dict(decay=[2.0, -1.0]))


def layer_cases():
    """GLA's layer from the projections on: gates, clamp, recurrence, norm of every head, swish gate."""
    heads = lambda t: t.flatten(2)
    case, T, H, K, V = "gla-layer", 19, 2, 4, 3
    x = qkv(case, 1, T, H, K, V)
    x["raw"] = drawn(case, "raw", (1, T, H, K), 16.0, -2.0)
    x["gate"] = drawn(case, "gate", (1, T, H, V), 4.0)
    x["weight"] = drawn(case, "weight", (V,))
    given = lambda name: lambda _: heads(x[name])
    self = types.SimpleNamespace(
        mode="chunk", use_short_conv=False, q_proj=given("q"), k_proj=given("k"), v_proj=given("v"), gk_proj=given("raw"),
        g_proj=given("gate"), head_k_dim=K, head_v_dim=V, num_kv_groups=1, gate_logit_normalizer=16, clamp_min=-0.3,
        feature_map_fn=None, use_output_gate=True, fuse_norm_and_gate=False, gate_fn=F.silu, o_proj=lambda t: t,
        g_norm=lambda t: F.rms_norm(t, (V,), x["weight"], 1e-5),
    )
    y = gla_layer(self, torch.zeros(1, T, 1))[0].unflatten(2, (H, V))
    yield record(case, x, dict(y=y), dict(raw=[16.0, -2.0], gate=[4.0, 0.0]), minimum=-0.3, eps=1e-5)
    for case, index in [("hgrn2-first", 0), ("hgrn2", 1)]:
        x = dict(q=drawn(case, "q", (1, T, H, K), 4.0), f=drawn(case, "f", (1, T, H, K), 8.0), i=drawn(case, "i", (1, T, H, V)))
        if index:
            x["lowerBound"] = drawn(case, "lowerBound", (H, K), 0.875, 0.4375 + 2**-10)
        given = lambda name: lambda _: heads(x[name])
        self = types.SimpleNamespace(
            mode="chunk", use_short_conv=False, layer_idx=index, q_proj=given("q"), f_proj=given("f"), i_proj=given("i"),
            head_f_dim=K, head_i_dim=V, g_norm=types.SimpleNamespace(weight=None, bias=None), o_proj=types.SimpleNamespace(weight=None, bias=None),
        )
        bound = x["lowerBound"].flatten() if index else None
        y = hgrn2_layer(self, torch.zeros(1, T, 1), lower_bound=bound)[0].unflatten(2, (H, V))
        scales = dict(q=[4.0, 0.0], f=[8.0, 0.0]) | (dict(lowerBound=[0.875, 0.4375 + 2**-10]) if index else {})
        yield record(case, x, dict(y=y), scales, scale=K**-0.5)


print(json.dumps({
    "source": f"fla-core and flash-linear-attention 0.6.0; f64, torch {torch.__version__}",
    "gla": list(gla_cases()),
    "simple": list(simple_cases()),
    "rwkv": list(rwkv6_cases()),
    "layers": list(layer_cases()),
}))
