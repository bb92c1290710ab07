"""Golden values of linear attention, retention, lightning attention and SSD: upstream code run in f64, gradients by autograd.

Run:  python test/golden/make/linear_attention.py FLA TORCHSCALE MAMBA > test/golden/linear-attention.json
(needs torch, transformers 5, onnx 1.23, einops). FLA is the folder `fla` of the package fla-core (0.6.0 was used),
TORCHSCALE the folder `torchscale` of torchscale 0.3.0, MAMBA the folder `mamba_ssm` of the source distribution of
mamba-ssm 2.2.4. Packages that need a GPU compiler are not imported: single functions are read out of their files.
Inputs come from a formula and are not stored.
"""

import ast
import json
import math
import sys
import types

import numpy as np
import onnx
import torch
import torch.nn.functional as F
import transformers
from blocks_common import rounded, values
from einops import rearrange, repeat
from onnx.reference import ReferenceEvaluator
from torch import nn
from transformers import Mamba2Config, MiniMaxConfig
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer, mamba2_chunk_scan
from transformers.models.minimax.modeling_minimax import MiniMaxLightningAttention

# Upstream casts to f32 inside; here that means f64, so that only its formulas are compared.
torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double
torch.float32 = torch.float = torch.float64

FLA, TORCHSCALE, MAMBA = sys.argv[1:4]


def lift(path, names, **space):
    """The named functions and classes of a file, without importing its package."""
    tree = ast.parse(open(path).read())
    wanted = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name in names]
    for node in wanted:
        node.decorator_list = []
    space = dict(torch=torch, F=F, nn=nn, math=math, rearrange=rearrange, repeat=repeat, **space)
    exec(compile(ast.Module(body=wanted, type_ignores=[]), path, "exec"), space)
    return types.SimpleNamespace(**{name: space[name] for name in names})


linear = lift(f"{FLA}/ops/linear_attn/naive.py", ["naive_recurrent_linear_attn"])
based = lift(f"{FLA}/ops/based/naive.py", ["naive_parallel_based"])
retention = lift(f"{FLA}/ops/retention/naive.py", ["naive_retention"])
simple = lift(f"{FLA}/ops/simple_gla/naive.py", ["naive_recurrent_simple_gla"])
maps = lift(
    f"{FLA}/modules/feature_map.py",
    ["_triu_indices", "flatten_diag_outer_product_off1", "HedgehogFeatureMap", "TaylorFeatureMap"],
)
ssd_minimal = lift(f"{MAMBA}/modules/ssd_minimal.py", ["segsum", "ssd_minimal_discrete"]).ssd_minimal_discrete
gated_norm = lift(f"{MAMBA}/ops/triton/layernorm_gated.py", ["rms_norm_ref"]).rms_norm_ref
rms = lift(f"{TORCHSCALE}/component/rms_norm.py", ["RMSNorm"]).RMSNorm
scales = lift(
    f"{TORCHSCALE}/component/multiscale_retention.py",
    ["rotate_every_two", "theta_shift", "get_activation_fn", "MultiScaleRetention"],
    RMSNorm=rms, MultiwayWrapper=lambda args, module: module,
)
positions = lift(f"{TORCHSCALE}/architecture/retnet.py", ["RetNetRelPos"]).RetNetRelPos


def drawn(case, name, shape, scale=2.0, shift=0.0):
    """Rounded to f32, so that every precision starts from the same numbers."""
    exact = np.float32(values(f"{case}/{name}", shape, scale) + shift)
    return torch.tensor(exact.astype(np.float64), requires_grad=True)


def record(case, x, outputs, **more):
    """Outputs by name and the gradients of all inputs for a read-out from the formula."""
    loss = sum((t * drawn(case, f"d{name}", t.shape)).sum() for name, t in outputs.items())
    grads = torch.autograd.grad(loss, list(x.values()))
    return dict(
        name=case, inputs={k: list(v.shape) for k, v in x.items()}, outputs={k: rounded(v) for k, v in outputs.items()},
        gradients={k: rounded(g) for k, g in zip(x, grads)}, **more,
    )


def qkv(case, B, T, H, K, V, scale=2.0):
    return dict(q=drawn(case, "q", (B, T, H, K), scale), k=drawn(case, "k", (B, T, H, K), scale), v=drawn(case, "v", (B, T, H, V)))


heads_first = lambda t: t.transpose(1, 2)


def linear_cases():
    x = qkv("linear", 2, 9, 2, 4, 3)
    x["initialState"] = drawn("linear", "initialState", (2, 2, 4, 3))
    y, last = linear.naive_recurrent_linear_attn(x["q"], x["k"], x["v"], initial_state=x["initialState"], output_final_state=True)
    yield record("linear", x, dict(y=y, finalState=last), scale=4**-0.5)
    # Positive features; the normaliser's state is upstream's z [B,1,H,K], here the last column.
    x = qkv("normalised", 1, 13, 2, 5, 3)
    x["initialState"] = drawn("normalised", "initialState", (1, 2, 5, 4), 1.0, 0.5)
    state = (x["initialState"][..., :3], x["initialState"][..., 3].unsqueeze(1))
    y, (last, z) = linear.naive_recurrent_linear_attn(
        F.elu(x["q"]) + 1, F.elu(x["k"]) + 1, x["v"], scale=0.3, initial_state=state, output_final_state=True, normalize=True,
    )
    final = torch.cat([last, z[:, 0].unsqueeze(-1)], -1)
    yield record("normalised", x, dict(y=y, finalState=final), scale=0.3, featureMap="elu", normalize=True, eps=1e-10)
    x = qkv("based", 1, 11, 2, 4, 3)
    y = based.naive_parallel_based(*map(heads_first, x.values()))
    yield record("based", x, dict(y=heads_first(y)), featureMap="taylor", normalize=True, eps=1e-6)


def feature_cases():
    x = dict(x=drawn("taylor-symmetric", "x", (1, 3, 2, 4)))
    y = maps.TaylorFeatureMap(4)(x["x"])
    # Upstream's order: 1, x, squares, products of different entries; ours keeps the triangle together.
    yield record("taylor-symmetric", x, dict(y=y.sort(-1).values))
    x = dict(x=drawn("hedgehog", "x", (1, 5, 2, 4)), weight=drawn("hedgehog", "weight", (4, 4)), bias=drawn("hedgehog", "bias", (4,)))
    layer = maps.HedgehogFeatureMap(4)
    y = torch.func.functional_call(layer, {"layer.weight": x["weight"], "layer.bias": x["bias"]}, (x["x"],))
    yield record("hedgehog", x, dict(y=y))


def retention_cases():
    x = qkv("retention", 1, 17, 3, 4, 5)
    y = heads_first(retention.naive_retention(*map(heads_first, x.values())))
    yield record("retention", x, dict(y=y), scale=4**-0.5)


def retnet_layers():
    """torchscale's layer with eps = 0 in its three ways, on the same weights: they agree, and so do their gradients."""
    heads, width, T = 2, 8, 8
    args = types.SimpleNamespace(multiway=False, layernorm_eps=0.0, decoder_embed_dim=width, decoder_retention_heads=heads, recurrent_chunk_size=4)
    layer = scales.MultiScaleRetention(args, width, 2 * width, heads)
    where = positions(args)
    names = {"q_proj.weight": "q", "k_proj.weight": "k", "v_proj.weight": "v", "g_proj.weight": "gate", "out_proj.weight": "out"}
    x = {"x": drawn("retnet", "x", (2, T, width))}
    x |= {short: drawn("retnet", short, tuple(layer.get_parameter(name).shape), 3.0) for name, short in names.items()}
    weights = {name: x[short] for name, short in names.items()}
    run = lambda t, *a, **k: torch.func.functional_call(layer, weights, (t, *a), k)
    for way in ["parallel", "chunk", "recurrent"]:
        if way == "parallel":
            y = run(x["x"], where(T))
        elif way == "chunk":
            y = run(x["x"], where(T, chunkwise_recurrent=True), chunkwise_recurrent=True)
        else:
            state = {}
            y = torch.cat([run(x["x"][:, t : t + 1], where(t + 1, activate_recurrent=True), incremental_state=state) for t in range(T)], 1)
        # The gradients of the three ways agree too; one is enough to store.
        found = record("retnet", x, dict(y=y), way=way, heads=heads)
        yield found if way == "parallel" else dict(found, gradients={})


def lightning_cases():
    x = qkv("lightning", 1, 11, 4, 3, 5)
    for layer, layers in [(0, 4), (2, 4)]:
        g = -(8 / 4 * (1 - layer / layers)) * torch.arange(4)
        y, last = simple.naive_recurrent_simple_gla(x["q"], x["k"], x["v"], g.expand(1, 11, 4), scale=1.0)
        yield record("lightning", x, dict(y=y, finalState=last), layer=layer, layers=layers)


def slopes():
    for layer, layers in [(0, 1), (0, 6), (5, 6), (3, 24)]:
        if layers > 1:
            config = MiniMaxConfig(hidden_size=32, num_attention_heads=8, num_hidden_layers=layers, block_size=4)
            rate = MiniMaxLightningAttention(config, layer).get_slope_rate()
            yield dict(rule="minimax", heads=8, layer=layer, layers=layers, slopes=rounded(rate))
    for heads in [1, 2, 4, 6, 12, 20]:
        last = build_alibi_tensor(torch.ones(1, 2), heads, torch.float64)[:, 0, 1]
        yield dict(rule="alibi", heads=heads, slopes=rounded(last))


def ssd_cases():
    B, T, H, P, N, G = 1, 12, 4, 3, 5, 2

    def inputs(case, T, dt=(2.0, -1.0), D=None):
        x = dict(
            x=drawn(case, "x", (B, T, H, P)), dt=drawn(case, "dt", (B, T, H), *dt), A=drawn(case, "A", (H,), 2.0, -1.25),
            B=drawn(case, "B", (B, T, G, N)), C=drawn(case, "C", (B, T, G, N)),
        )
        if D:
            x["D"] = drawn(case, "D", D)
            x["dtBias"] = drawn(case, "dtBias", (H,))
        # Ours is [B,H,N,P]: keys before values.
        x["initialState"] = drawn(case, "initialState", (B, H, N, P))
        return x
    turned = lambda s: s.transpose(-1, -2)
    spread = lambda t: t.repeat_interleave(H // G, dim=2)
    x = inputs("minimal", T, (0.5, 0.5))
    dt = x["dt"]
    y, last = ssd_minimal(x["x"] * dt[..., None], x["A"] * dt, spread(x["B"]), spread(x["C"]), 4, turned(x["initialState"]).unsqueeze(1))
    yield record("minimal", x, dict(y=y, finalState=turned(last)), dt=[0.5, 0.5], options={})
    for case, length, limit, scale in [("plain", 13, (0.0, float("inf")), (4.0, -1.0)), ("limits", 11, (0.2, 0.9), (4.0, 0.0)), ("strong", 9, (0.0, float("inf")), (40.0, 40.0))]:
        x = inputs(case, length, scale, (H,))
        y, last = mamba2_chunk_scan(
            x["x"], x["dt"], x["A"], x["B"], x["C"], 4, D=x["D"], dt_bias=x["dtBias"], dt_softplus=True, dt_limit=limit,
            initial_states=turned(x["initialState"]), return_final_states=True,
        )
        options = dict(softplus=True) | (dict(dtLimit=list(limit)) if case == "limits" else {})
        yield record(case, x, dict(y=y, finalState=turned(last)), dt=list(scale), options=options)


def norm_cases():
    for before in [False, True]:
        for group in [None, 4]:
            x = dict(x=drawn("norm", "x", (2, 3, 12)), z=drawn("norm", "z", (2, 3, 12), 4.0), weight=drawn("norm", "weight", (12,)))
            y = gated_norm(x["x"], x["weight"], None, z=x["z"], eps=1e-5, group_size=group, norm_before_gate=before)
            yield record("norm", x, dict(y=y), normBeforeGate=before, groups=1 if group is None else 12 // group)


def mamba2_block():
    config = Mamba2Config(
        hidden_size=6, state_size=5, num_heads=4, head_dim=3, n_groups=2, expand=2, conv_kernel=4, chunk_size=4, use_bias=False,
        use_conv_bias=True, time_step_limit=(0.0, float("inf")), num_hidden_layers=1, vocab_size=8, layer_norm_epsilon=1e-5,
    )
    mixer = Mamba2Mixer(config, layer_idx=0).double().eval()
    sizes = {"A_log": 2.0, "D": 2.0, "dt_bias": 4.0, "conv1d.weight": 2.0, "conv1d.bias": 0.5, "norm.weight": 2.0}
    x = {"x": drawn("mamba2", "x", (1, 11, 6), 4.0)}
    x |= {name: drawn("mamba2", name, tuple(p.shape), sizes.get(name, 1.0)) for name, p in mixer.named_parameters()}
    y = torch.func.functional_call(mixer, {k: v for k, v in x.items() if k != "x"}, (x["x"],))
    return record("mamba2", x, dict(y=y), scales={"x": 4.0} | {k: sizes.get(k, 1.0) for k in x if k != "x"}, eps=mixer.norm.variance_epsilon)


def onnx_cases():
    """ONNX's reference evaluator computes in f32. Its query heads may be more than its key and value heads."""
    B, T, Hq, H, K, V = 2, 7, 4, 2, 3, 5
    for rule in ["linear", "gated"]:
        case = f"onnx-{rule}"
        wide = lambda name, heads, d: np.float32(values(f"{case}/{name}", (B, T, heads, d), 2.0)).reshape(B, T, heads * d)
        feed = dict(query=wide("q", Hq, K), key=wide("k", H, K), value=wide("v", H, V))
        feed["past_state"] = np.float32(values(f"{case}/initialState", (B, H, K, V), 2.0))
        if rule == "gated":
            feed["decay"] = np.float32(values(f"{case}/decay", (B, T, H), 1.0) - 0.5)
        names = ["query", "key", "value", "past_state"] + (["decay"] if rule == "gated" else [])
        node = onnx.helper.make_node("LinearAttention", names, ["y", "state"], q_num_heads=Hq, kv_num_heads=H, update_rule=rule, scale=0.25)
        info = lambda name, t: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, t.shape if t is not None else None)
        graph = onnx.helper.make_graph([node], case, [info(n, feed[n]) for n in names], [info("y", None), info("state", None)])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 27)])
        y, state = ReferenceEvaluator(model).run(None, feed)
        yield dict(name=case, dims=[B, T, Hq, H, K, V], scale=0.25, outputs=dict(y=rounded(torch.tensor(y)), finalState=rounded(torch.tensor(state))))


print(json.dumps({
    "source": f"fla-core 0.6.0, torchscale 0.3.0, mamba-ssm 2.2.4, transformers {transformers.__version__}, onnx {onnx.__version__}; f64 (onnx f32), torch {torch.__version__}",
    "linear": list(linear_cases()),
    "features": list(feature_cases()),
    "retention": list(retention_cases()),
    "retnet": list(retnet_layers()),
    "lightning": list(lightning_cases()),
    "slopes": list(slopes()),
    "ssd": list(ssd_cases()),
    "norm": list(norm_cases()),
    "mamba2": mamba2_block(),
    "onnx": list(onnx_cases()),
}))
