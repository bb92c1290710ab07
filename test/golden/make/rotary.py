"""Golden values of rotary embeddings: frequencies of transformers' rope utilities and rotations of its Llama and GPT-J.

Run:  python test/golden/make/rotary.py > test/golden/rotary.json
(needs torch and transformers, of which 5.23.0 was used). Upstream computes in f32; here that means f64, so that only its
formulas are compared. Inputs of the rotations come from a formula and are not stored.
"""

import json
from types import SimpleNamespace

import torch
import transformers
from blocks_common import rounded, values
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.gptj import modeling_gptj
from transformers.models.llama import modeling_llama

torch.set_default_dtype(torch.float64)
torch.float = torch.float32 = torch.float64
torch.Tensor.float = torch.Tensor.double

LONG = [1.0 + 0.5 * j for j in range(16)]
# name, type, head size, maximal positions, sequence length asked for, parameters
CASES = [
    ("linear", "linear", 64, 4096, None, dict(rope_theta=10000.0, factor=4.0)),
    ("linear-part", "linear", 64, 4096, None, dict(rope_theta=10000.0, factor=2.5, partial_rotary_factor=0.5)),
    ("dynamic-short", "dynamic", 64, 2048, 1000, dict(rope_theta=10000.0, factor=2.0)),
    ("dynamic-long", "dynamic", 64, 2048, 8192, dict(rope_theta=10000.0, factor=2.0)),
    ("yarn", "yarn", 128, 16384, None, dict(rope_theta=10000.0, factor=4.0, original_max_position_embeddings=4096)),
    (
        "yarn-betas", "yarn", 64, 32768, None,
        dict(rope_theta=1e6, factor=8.0, original_max_position_embeddings=4096, beta_fast=16, beta_slow=2, truncate=False),
    ),
    (
        "yarn-mscale", "yarn", 64, 163840, None,
        dict(rope_theta=10000.0, factor=40.0, original_max_position_embeddings=4096, mscale=1.0, mscale_all_dim=0.707),
    ),
    (
        "yarn-attention", "yarn", 32, 8192, None,
        dict(rope_theta=10000.0, factor=2.0, original_max_position_embeddings=4096, attention_factor=1.5),
    ),
    (
        "llama3", "llama3", 128, 131072, None,
        dict(rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192),
    ),
    (
        "llama3-32", "llama3", 64, 131072, None,
        dict(rope_theta=500000.0, factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192),
    ),
    ("proportional", "proportional", 64, 4096, None, dict(rope_theta=10000.0, factor=2.0, partial_rotary_factor=0.25)),
    (
        "longrope-short", "longrope", 32, 131072, 100,
        dict(rope_theta=10000.0, factor=32.0, short_factor=[1.0] * 16, long_factor=LONG, original_max_position_embeddings=4096),
    ),
    (
        "longrope-long", "longrope", 32, 131072, 5000,
        dict(rope_theta=10000.0, factor=32.0, short_factor=[1.0] * 16, long_factor=LONG, original_max_position_embeddings=4096),
    ),
]


def frequencies(name, kind, size, most, length, parameters):
    config = SimpleNamespace(
        rope_parameters=dict(parameters, rope_type=kind),
        head_dim=size,
        hidden_size=4 * size,
        num_attention_heads=4,
        max_position_embeddings=most,
        standardize_rope_params=lambda: None,
    )
    found, factor = ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"), seq_len=length)
    return dict(
        name=name, type=kind, size=size, most=most, length=length, parameters=parameters,
        frequencies=[float(f"{v:.15g}") for v in found.double().tolist()], attentionFactor=float(factor),
    )


def drawn(name, shape):
    return torch.tensor(values(name, shape, 2.0), requires_grad=True)


POSITIONS = [[0, 1, 2, 3, 0, 1, 700, 701], [5, 6, 7, 9, 11, 4000, 4001, 2]]


def llama():
    B, T, H, K = 2, 8, 3, 16
    q, k = drawn("llama/q", (B, T, H, K)), drawn("llama/k", (B, T, 1, K))
    inverse = 1.0 / 10000.0 ** (torch.arange(0, K, 2) / K)
    angles = torch.tensor(POSITIONS)[..., None] * inverse
    full = torch.cat((angles, angles), -1)
    # Heads are axis 1 there.
    turned = modeling_llama.apply_rotary_pos_emb(q.transpose(1, 2), k.transpose(1, 2), full.cos(), full.sin())
    y, z = (t.transpose(1, 2) for t in turned)
    dy, dz = drawn("llama/dq", y.shape), drawn("llama/dk", z.shape)
    dq, dk = torch.autograd.grad((y * dy).sum() + (z * dz).sum(), (q, k))
    return dict(q=rounded(y), k=rounded(z), dq=rounded(dq), dk=rounded(dk))


def gptj():
    B, T, H, K, R = 2, 8, 3, 12, 8
    x = drawn("gptj/x", (B, T, H, K))
    inverse = 1.0 / 10000.0 ** (torch.arange(0, R, 2) / R)
    angles = torch.tensor(POSITIONS)[..., None] * inverse
    turned = modeling_gptj.apply_rotary_pos_emb(x[..., :R], angles.sin(), angles.cos())
    y = torch.cat((turned, x[..., R:]), -1)
    (dx,) = torch.autograd.grad((y * drawn("gptj/dx", y.shape)).sum(), (x,))
    return dict(x=rounded(y), dx=rounded(dx))


print(
    json.dumps(
        dict(
            provenance=f"transformers {transformers.__version__} in f64, torch {torch.__version__.split('+')[0]}",
            frequencies=[frequencies(*c) for c in CASES],
            positions=POSITIONS,
            llama=llama(),
            gptj=gptj(),
        )
    )
)
