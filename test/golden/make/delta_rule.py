"""Golden values of the delta rule and Gated DeltaNet: upstream code run in f64, gradients by autograd.

Run:  python test/golden/make/delta_rule.py FLA > test/golden/delta-rule.json
(needs torch, transformers 5 and einops). FLA is the folder `fla` of the package fla-core (0.6.0 was used). Its packages
import a GPU compiler, so single functions are read out of their files. Inputs come from a formula and are not stored.
Mind the order of arguments: the recurrent gated function takes (beta, g), the chunked ones (g, beta); the plain ones
take heads before time.
"""

import ast
import json
import sys
import types

import numpy as np
import torch
import torch.nn.functional as F
import transformers.models.qwen3_next
from blocks_common import rounded, values
from einops import rearrange

# Upstream casts to f32 inside; here that means f64, so that only its formulas are compared.
torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double
torch.float32 = torch.float = torch.float64

FLA = sys.argv[1]
QWEN = transformers.models.qwen3_next.__path__[0]


def lift(path, names, **space):
    """The named functions of a file, without importing its package or applying decorators."""
    tree = ast.parse(open(path).read())
    wanted = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in names]
    for node in wanted:
        node.decorator_list = []
    space = dict(torch=torch, F=F, rearrange=rearrange, **space)
    exec(compile(ast.Module(body=wanted, type_ignores=[]), path, "exec"), space)
    return types.SimpleNamespace(**{name: space[name] for name in names})


plain = lift(f"{FLA}/ops/delta_rule/naive.py", ["delta_rule_recurrence", "delta_rule_chunkwise"])
gated = lift(f"{FLA}/ops/gated_delta_rule/naive.py", ["naive_recurrent_gated_delta_rule", "naive_chunk_gated_delta_rule"])
qwen = lift(
    f"{QWEN}/modeling_qwen3_next.py", ["l2norm", "torch_chunk_gated_delta_rule", "torch_recurrent_gated_delta_rule"],
    is_torchdynamo_exporting=lambda: False,
)


def drawn(case, name, shape, scale=2.0, shift=0.0):
    """Rounded to f32, so that every precision starts from the same numbers."""
    exact = np.float32(values(f"{case}/{name}", shape, scale) + shift)
    return torch.tensor(exact.astype(np.float64), requires_grad=True)


def inputs(case, B, T, G, H, K, V, gates=True, state=True):
    """Keys are short enough for upstream's functions that do not normalise; beta in (0, 1), log-decays in (-1, 0)."""
    x = dict(
        q=drawn(case, "q", (B, T, G, K)), k=drawn(case, "k", (B, T, G, K), 1.0), v=drawn(case, "v", (B, T, H, V)),
        beta=drawn(case, "beta", (B, T, H), 1.0, 0.5),
    )
    if gates:
        x["decay"] = drawn(case, "decay", (B, T, H), 1.0, -0.5)
    if state:
        x["initialState"] = drawn(case, "initialState", (B, H, K, V))
    return x


def record(case, x, y, last, **more):
    """Outputs and the gradients of all inputs for a read-out from the formula."""
    outputs = dict(y=y, finalState=last)
    loss = sum((t * drawn(case, f"d{name}", t.shape)).sum() for name, t in outputs.items())
    grads = torch.autograd.grad(loss, list(x.values()))
    return dict(
        name=case, inputs={k: list(v.shape) for k, v in x.items()}, **more,
        outputs={k: rounded(v) for k, v in outputs.items()}, gradients={k: rounded(g) for k, g in zip(x, grads)},
    )


heads_first = lambda t: t.transpose(1, 2)


def cases():
    case = "delta-recurrent"
    x = inputs(case, 2, 9, 2, 2, 4, 3, gates=False)
    q, k, v, beta = (heads_first(x[name]) for name in ["q", "k", "v", "beta"])
    y, last = plain.delta_rule_recurrence(q, k, v, beta, x["initialState"])
    yield record(case, x, heads_first(y), last, source="fla delta_rule_recurrence", normalize=False)
    case = "delta-chunk"
    x = inputs(case, 1, 36, 2, 2, 5, 3, gates=False, state=False)
    q, k, v, beta = (heads_first(x[name]) for name in ["q", "k", "v", "beta"])
    y, last = plain.delta_rule_chunkwise(q, k, v, beta, chunk_size=12)
    yield record(case, x, heads_first(y), last, source="fla delta_rule_chunkwise", normalize=False)
    case = "gated-recurrent"
    x = inputs(case, 2, 11, 2, 2, 3, 5)
    y, last = gated.naive_recurrent_gated_delta_rule(
        x["q"], x["k"], x["v"], x["beta"], x["decay"], initial_state=x["initialState"], output_final_state=True,
    )
    yield record(case, x, y, last, source="fla naive_recurrent_gated_delta_rule", normalize=False)
    case = "gated-chunk"
    x = inputs(case, 1, 37, 2, 2, 4, 3)
    y, last = gated.naive_chunk_gated_delta_rule(
        x["q"], x["k"], x["v"], x["decay"], x["beta"], chunk_size=16, scale=0.7, initial_state=x["initialState"],
        output_final_state=True,
    )
    yield record(case, x, y, last, source="fla naive_chunk_gated_delta_rule", normalize=False, scale=0.7)
    for name, function in [("recurrent", qwen.torch_recurrent_gated_delta_rule), ("chunk", qwen.torch_chunk_gated_delta_rule)]:
        case = f"qwen-{name}"
        x = inputs(case, 1, 35, 2, 4, 4, 3)
        y, last = function(
            x["q"], x["k"], x["v"], g=x["decay"], beta=x["beta"], initial_state=x["initialState"], output_final_state=True,
            use_qk_l2norm_in_kernel=True, **(dict(chunk_size=16) if name == "chunk" else {}),
        )
        yield record(case, x, y, last, source=f"transformers {function.__name__}", normalize=True)


print(json.dumps({"torch": torch.__version__, "transformers": transformers.__version__, "fla-core": "0.6.0", "cases": list(cases())}))
