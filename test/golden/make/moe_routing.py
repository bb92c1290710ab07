"""Golden values of routing: the mixture-of-experts parts of transformers, computed in f64, with gradients by autograd.

Run:  python test/golden/make/moe_routing.py > test/golden/moe-routing.json
(needs torch and transformers; 4.39.3 was used). Inputs come from a formula and are not stored.
"""

import json

import torch
import transformers
from blocks_common import rounded, values
from transformers.models.mixtral import modeling_mixtral as mixtral
from transformers.models.switch_transformers import modeling_switch_transformers as switch

torch.set_default_dtype(torch.float64)
# Both models cast to f32 inside; here that means f64, so that only their formulas are compared.
torch.Tensor.float = torch.Tensor.double
torch.float = torch.float64
torch.float32 = torch.float64


def draw(name, shape, scale):
    return torch.tensor(values(name, shape, scale), requires_grad=True)


# name, B, T, D, F, E, k, activation
BLOCKS = [
    ("two-of-four", 2, 5, 6, 8, 4, 2, "silu"),
    ("three-of-nine", 1, 11, 5, 7, 9, 3, "silu"),
    ("one-of-three", 1, 7, 4, 6, 3, 1, "relu"),
    ("all-of-three", 1, 4, 5, 3, 3, 3, "silu"),
    ("one-token", 1, 1, 6, 4, 5, 2, "silu"),
]


def block(name, b, t, d, f, e, k, activation):
    config = mixtral.MixtralConfig(
        hidden_size=d, intermediate_size=f, num_local_experts=e, num_experts_per_tok=k, hidden_act=activation
    )
    layer = mixtral.MixtralSparseMoeBlock(config)
    # Ours are [E,D,F] and [E,F,D], theirs one Linear an expert with weights [out,in].
    p = {n: draw(f"{name}/{n}", s, 2.0) for n, s in
         {"x": (b * t, d), "router": (d, e), "gate": (e, d, f), "up": (e, d, f), "down": (e, f, d)}.items()}
    with torch.no_grad():
        layer.gate.weight.copy_(p["router"].T)
        for i, expert in enumerate(layer.experts):
            expert.w1.weight.copy_(p["gate"][i].T)
            expert.w3.weight.copy_(p["up"][i].T)
            expert.w2.weight.copy_(p["down"][i].T)
    x = p["x"].detach().reshape(b, t, d).requires_grad_(True)
    y, logits = layer(x)
    y.backward(torch.tensor(values(f"{name}/dy", (b * t, d), 2.0)).reshape(b, t, d))

    def stacked(which):
        grads = [getattr(expert, which).weight.grad for expert in layer.experts]
        shape = getattr(layer.experts[0], which).weight.T.shape
        return torch.stack([torch.zeros(shape) if g is None else g.T for g in grads])

    return {
        "name": name, "tokens": b * t, "width": d, "inner": f, "experts": e, "k": k, "activation": activation,
        "y": rounded(y), "logits": rounded(logits),
        "gradients": {
            "x": rounded(x.grad), "router": rounded(layer.gate.weight.grad.T.contiguous()),
            "gate": rounded(stacked("w1")), "up": rounded(stacked("w3")), "down": rounded(stacked("w2")),
        },
    }


# name, layers, B, T, E, k, padding tokens at the end of the second sequence
LOSSES = [
    ("one-layer", 1, 2, 7, 5, 2, 0),
    ("three-layers", 3, 2, 6, 5, 2, 0),
    ("three-layers-padded", 3, 2, 6, 5, 2, 4),
    ("first-choice-padded", 2, 2, 5, 4, 1, 3),
]


def balancing(name, layers, b, t, e, k, padding):
    logits = [draw(f"{name}/logits{i}", (b * t, e), 4.0) for i in range(layers)]
    mask = torch.ones(b, t)
    if padding:
        mask[1, t - padding:] = 0
    loss = mixtral.load_balancing_loss_func(tuple(logits), e, k, mask if padding else None)
    loss.backward()
    return {
        "name": name, "layers": layers, "tokens": b * t, "experts": e, "k": k,
        "mask": [int(v) for v in mask.reshape(-1)] if padding else None,
        "loss": rounded(loss), "gradients": [rounded(l.grad) for l in logits],
    }


# name, groups, tokens a group, D, E, capacity
ROUTERS = [("roomy", 2, 7, 6, 4, 7), ("overflowing", 2, 9, 5, 3, 2)]


def router(name, groups, t, d, e, capacity):
    config = switch.SwitchTransformersConfig(
        d_model=d, num_experts=e, expert_capacity=capacity, router_jitter_noise=0.0,
        router_bias=False,
    )
    layer = switch.SwitchTransformersTop1Router(config)
    x = draw(f"{name}/x", (groups, t, d), 2.0)
    weight = draw(f"{name}/router", (d, e), 4.0)
    with torch.no_grad():
        layer.classifier.weight.copy_(weight.T)
    index, probability, logits = layer(x)
    logits.retain_grad()
    probability.backward(torch.tensor(values(f"{name}/dp", (groups, t, 1), 2.0)))
    chosen = index.sum(-1) > 0
    experts = torch.where(chosen, index.argmax(-1), torch.full_like(index.argmax(-1), -1))

    losses = {}
    for k in (1, 2):
        l = logits.detach().clone().requires_grad_(True)
        p = l.softmax(-1)
        loss = switch.load_balancing_loss_func(p, p.topk(k, -1).indices if k > 1 else p.argmax(-1))
        loss.backward()
        losses[f"top{k}"] = {"loss": rounded(loss), "gradient": rounded(l.grad)}
    l = logits.detach().clone().requires_grad_(True)
    z = switch.router_z_loss_func(l)
    z.backward()
    losses["z"] = {"loss": rounded(z), "gradient": rounded(l.grad)}
    # As the model hands its layers over: joined along the tokens of a sequence.
    other = draw(f"{name}/other", (groups, t, e), 4.0)
    both = torch.cat([logits.detach(), other.detach()], dim=1).requires_grad_(True)
    p = both.softmax(-1)
    loss = switch.load_balancing_loss_func(p, p.argmax(-1))
    loss.backward()
    losses["layers"] = {"loss": rounded(loss), "gradient": rounded(both.grad[:, :t].contiguous())}
    return {
        "name": name, "groups": groups, "tokens": t, "width": d, "experts": e, "capacity": capacity,
        "logits": rounded(logits), "probability": rounded(probability), "kept": experts.reshape(-1).tolist(),
        "gradient": rounded(logits.grad), "losses": losses,
    }


print(json.dumps({
    "source": f"transformers {transformers.__version__}, torch {torch.__version__}: MixtralSparseMoeBlock and "
    "load_balancing_loss_func of mixtral; SwitchTransformersTop1Router, load_balancing_loss_func and router_z_loss_func "
    "of switch_transformers; f64",
    "blocks": [block(*c) for c in BLOCKS],
    "balancing": [balancing(*c) for c in LOSSES],
    "routers": [router(*c) for c in ROUTERS],
}))
