"""A mixture of experts in PyTorch, as an opponent for the library's layer.

    python mixture_of_experts.py      first checks itself, then answers one line of JSON with another

Softmax router, the k best experts with weights that sum to 1, experts (silu(x G) * (x U)) W (arXiv 2401.04088v1,
section 2.1), no token dropped. `loop`: over experts, as is common; the tokens of each are found in a mask, gathered and
added back with their weights. `sorted`: what a careful user writes; choices are sorted by expert once, so that every
expert works on a slice, and products are written into one buffer. Gradients by autograd in both.

A request holds T, E, K, D, F, form, direction (forward or forward+backward), threads and calls; the answer is
{"ms": milliseconds a call} or {"error": text}. The first line, unasked, names versions and the largest relative
difference of outputs and gradients between the two forms and every expert on every token in double precision.
"""
import torch
from torch.nn.functional import silu

from torch_server import serve, worst_difference


def route(x, router, k):
    """Weights and experts [T,k]."""
    scores, chosen = torch.topk(torch.softmax(x @ router, dim=-1), k, dim=-1)
    return scores / scores.sum(-1, keepdim=True), chosen


def expert(rows, gate, up, down):
    return (silu(rows @ gate) * (rows @ up)) @ down


def experts_of(*stacked):
    # unbind, not indexing by e: the gradient of an index is a whole tensor of zeros for every expert.
    return zip(*(w.unbind(0) for w in stacked))


def dense(x, router, gate, up, down, k):
    weights, chosen = route(x, router, k)
    full = torch.zeros(x.shape[0], router.shape[1], dtype=x.dtype).scatter(1, chosen, weights)
    return sum(full[:, e, None] * expert(x, gate[e], up[e], down[e]) for e in range(len(gate)))


def loop(x, router, gate, up, down, k):
    weights, chosen = route(x, router, k)
    y = torch.zeros_like(x)
    for e, matrices in enumerate(experts_of(gate, up, down)):
        tokens, choice = torch.where(chosen == e)
        if len(tokens):
            made = expert(x[tokens], *matrices) * weights[tokens, choice, None]
            y = y.index_add(0, tokens, made) if torch.is_grad_enabled() else y.index_add_(0, tokens, made)
    return y


def sorted_(x, router, gate, up, down, k):
    weights, chosen = route(x, router, k)
    order = torch.argsort(chosen.flatten(), stable=True)
    counts = torch.bincount(chosen.flatten(), minlength=len(gate)).tolist()
    tokens = torch.div(order, k, rounding_mode="floor")
    rows = x.index_select(0, tokens)
    used = [(own, matrices) for own, matrices in zip(rows.split(counts), experts_of(gate, up, down)) if len(own)]
    made = torch.cat([expert(own, *matrices) for own, matrices in used]) * weights.flatten().index_select(0, order)[:, None]
    return torch.zeros_like(x).index_add(0, tokens, made)


FORMS = {"loop": loop, "sorted": sorted_}


def inputs(T, E, K, D, F):
    generator = torch.Generator().manual_seed(7)
    draw = lambda *shape: torch.randn(*shape, generator=generator) / shape[-2] ** 0.5
    x = torch.randn(T, D, generator=generator)
    return [x, draw(D, E), draw(E, D, F), draw(E, D, F), draw(E, F, D)], torch.randn(T, D, generator=generator)


def both(form, tensors, k, dy):
    y = form(*tensors, k)
    return y, torch.autograd.grad(y, tensors, dy)


def check():
    """Largest relative RMS difference from the dense sum in double precision; None where one is not a number."""
    tensors, dy = inputs(37, 5, 2, 11, 7)
    exact = [x.double().requires_grad_() for x in tensors]
    wanted, gradients = both(dense, exact, 2, dy.double())
    worst = 0.0
    for form in FORMS.values():
        y, grads = both(form, [x.clone().requires_grad_() for x in tensors], 2, dy)
        for got, want in zip((y, *grads), (wanted, *gradients)):
            worst = worst_difference(worst, got, want)
            if worst is None:
                return None
    return worst


if __name__ == "__main__":
    serve(
        check,
        key=lambda request: [request[name] for name in "TEKDF"],
        make=inputs,
        forward=lambda request, leaves: FORMS[request["form"]](*leaves, request["K"]),
        both=lambda request, leaves, dy: both(FORMS[request["form"]], leaves, request["K"], dy),
    )
