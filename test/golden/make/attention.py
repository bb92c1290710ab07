"""Golden values of softmax attention in f64: PyTorch, flash-linear-attention and ONNX's reference evaluator.

Run:  python test/golden/make/attention.py > test/golden/attention.json
(needs torch 2.5 or newer, flash-linear-attention 0.6, onnx 1.20 or newer). Only upstream code makes numbers here:
torch.nn.functional.scaled_dot_product_attention with autograd, fla/ops/attn/naive.py (function naive_parallel_attn, read
from the file, as the package imports triton), and the operator Attention of ONNX run by onnx.reference. Inputs come
from a formula and are not stored; of long outputs about KEPT elements are, an odd number of places apart.
"""

import ast
import importlib.util
import json
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from blocks_common import rounded, values
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

torch.set_default_dtype(torch.float64)
KEPT = 100


def draw(case, name, shape, scale=2.0):
    exact = np.float32(values(f"{case}/{name}", shape, scale)).astype(np.float64)
    return torch.tensor(exact, requires_grad=True)


def kept(t):
    flat = t.detach().reshape(-1)
    return rounded(flat[:: flat.numel() // KEPT | 1])


def record(name, source, sizes, options, tensors, y, extra=None):
    dy = draw(name, "dy", y.shape)
    grads = torch.autograd.grad((y * dy.detach()).sum(), list(tensors.values())) if y.requires_grad else []
    return dict(
        name=name, source=source, **sizes, options=options, extra=extra or {},
        y=kept(y), gradients={k: kept(g) for k, g in zip(tensors, grads)},
    )


def inputs(name, B, Tq, Tk, H, Hkv, K, V):
    return dict(
        q=draw(name, "q", (B, Tq, H, K), 4.0), k=draw(name, "k", (B, Tk, Hkv, K), 4.0), v=draw(name, "v", (B, Tk, Hkv, V))
    )


def bottom_right(Tq, Tk):
    return torch.ones(Tq, Tk, dtype=torch.bool).tril(Tk - Tq)


def torch_case(name, B, Tq, Tk, H, Hkv, K, V, causal=True, scale=None):
    x = inputs(name, B, Tq, Tk, H, Hkv, K, V)
    q, k, v = (t.transpose(1, 2) for t in x.values())
    mask = bottom_right(Tq, Tk) if causal else None
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale, enable_gqa=True).transpose(1, 2)
    options = dict(causal=causal, **({} if scale is None else dict(scale=scale)))
    source = f"torch {torch.__version__} scaled_dot_product_attention"
    return record(name, source, dict(B=B, Tq=Tq, Tk=Tk, H=H, Hkv=Hkv, K=K, V=V), options, x, y)


def upstream_naive():
    # Found without importing the package, which needs triton.
    package = Path(importlib.util.find_spec("fla").origin).parent
    tree = ast.parse((package / "ops/attn/naive.py").read_text())
    wanted = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "naive_parallel_attn"]
    space = dict(torch=torch, F=F)
    exec(compile(ast.Module(body=wanted, type_ignores=[]), "naive.py", "exec"), space)
    return space["naive_parallel_attn"]


def fla_case(naive, name, B, T, H, Hkv, K, V, window, sink):
    x = inputs(name, B, T, T, H, Hkv, K, V)
    if sink:
        x["sink"] = draw(name, "sink", (H,), 4.0)
    y, _ = naive(x["q"], x["k"], x["v"], window_size=window, sink_bias=x.get("sink"))
    options = {} if window is None else dict(window=[window - 1, 0])
    source = "flash-linear-attention 0.6 naive_parallel_attn in f64"
    return record(name, source, dict(B=B, Tq=T, Tk=T, H=H, Hkv=Hkv, K=K, V=V), options, x, y, dict(flaWindow=window))


def onnx_case(name, B, Tq, Tk, H, Hkv, K, V, opset, options, counts=None):
    x = inputs(name, B, Tq, Tk, H, Hkv, K, V)
    arrays = {n: t.detach().transpose(1, 2).numpy() for n, t in x.items()}
    attributes = dict(is_causal=int(options["causal"]))
    if "scale" in options:
        attributes["scale"] = options["scale"]
    if "softcap" in options:
        attributes["softcap"] = options["softcap"]
    if "window" in options:
        attributes["left_window_size"], attributes["right_window_size"] = options["window"]
    names = ["q", "k", "v"]
    if counts is not None:
        names += ["", "", "", "counts"]
        arrays["counts"] = np.array(counts, np.int64)
    elif options["causal"]:
        # Without a cache ONNX aligns at the top left; ours is said by the mask.
        attributes["is_causal"] = 0
        names += ["mask"]
        arrays["mask"] = bottom_right(Tq, Tk).numpy()
    node = helper.make_node("Attention", names, ["y"], **attributes)
    kinds = dict(mask=TensorProto.BOOL, counts=TensorProto.INT64)
    graph = helper.make_graph(
        [node], "attention",
        [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.DOUBLE), a.shape) for n, a in arrays.items()],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    (y,) = ReferenceEvaluator(model).run(None, arrays)
    y = torch.tensor(y).transpose(1, 2)
    sizes = dict(B=B, Tq=Tq, Tk=Tk, H=H, Hkv=Hkv, K=K, V=V)
    extra = {} if counts is None else dict(keys=counts)
    return record(name, f"onnx {onnx.__version__} reference evaluator, opset {opset}", sizes, options, x, y, extra)


def main():
    naive = upstream_naive()
    newest = onnx.defs.onnx_opset_version()
    cases = [
        torch_case("mha-32", 1, 113, 203, 2, 2, 32, 32),
        torch_case("mqa-40", 1, 108, 256, 3, 1, 40, 8),
        torch_case("gqa-59", 2, 33, 65, 4, 2, 59, 7, causal=False),
        torch_case("odd-111", 1, 64, 64, 2, 1, 111, 5, scale=0.2),
        torch_case("almost-square", 1, 1023, 1024, 1, 1, 8, 4),
        torch_case("one-query", 2, 1, 513, 4, 2, 16, 16),
        fla_case(naive, "fla-plain", 2, 63, 2, 1, 16, 16, None, False),
        fla_case(naive, "fla-window", 1, 130, 2, 1, 16, 8, 17, False),
        fla_case(naive, "fla-sink", 1, 65, 4, 2, 16, 8, None, True),
        fla_case(naive, "fla-window-sink", 1, 100, 4, 1, 12, 6, 9, True),
        fla_case(naive, "fla-window-of-one", 1, 20, 2, 2, 8, 6, 1, True),
        onnx_case("onnx-softcap", 2, 19, 31, 4, 2, 16, 12, 23, dict(causal=False, softcap=1.5)),
        onnx_case("onnx-softcap-causal", 1, 31, 31, 2, 1, 16, 12, 23, dict(causal=True, softcap=0.75, scale=0.25)),
        onnx_case("onnx-counts", 3, 5, 40, 4, 2, 8, 6, 24, dict(causal=True), [40, 17, 5]),
        onnx_case("onnx-counts-empty-rows", 2, 7, 12, 2, 1, 8, 6, 24, dict(causal=True), [3, 12]),
    ]
    if newest >= 25 and "left_window_size" in onnx.defs.get_schema("Attention", newest).attributes:
        cases.append(onnx_case("onnx-window", 2, 23, 23, 2, 1, 8, 6, newest, dict(causal=False, window=[4, 2])))
        cases.append(
            onnx_case("onnx-window-counts", 2, 9, 40, 2, 1, 8, 6, newest, dict(causal=True, window=[6, -1]), [21, 40])
        )
    print(json.dumps(dict(torch=torch.__version__, onnx=onnx.__version__, fla="0.6.0", kept=KEPT, cases=cases)))


if __name__ == "__main__":
    main()
