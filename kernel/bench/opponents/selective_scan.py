"""The selective scan in PyTorch, as an opponent for the library's kernels.

    python selective_scan.py          first checks itself, then answers one line of JSON with another

h_t = exp(delta_t A) h_{t-1} + delta_t u_t B_t and y_t = C_t . h_t (arXiv 2312.00752v2, equation 2 and algorithm 2).
`published`: the definition read aloud. All decays and inputs [B,T,D,N] are made at once, then one step after the
other, gradients by autograd. `loop`: what a careful user writes. Time first, decays made where they are used, buffers
reused, states kept only for a backward pass, and that one by hand in slabs that fit into a cache.

A request holds B, T, D, N, form, direction (forward or forward+backward), threads and calls; the answer is
{"ms": milliseconds a call} or {"error": text}. The first line, unasked, names versions and the largest relative
difference of outputs and gradients between the two forms and a double-precision loop.
"""
import torch

from torch_server import serve, worst_difference

SLAB = 1 << 18


def published(u, delta, A, B, C):
    """u, delta [B,T,D]; A [D,N]; B, C [B,T,N]."""
    decay = torch.exp(delta.unsqueeze(-1) * A)
    entry = (delta * u).unsqueeze(-1) * B.unsqueeze(2)
    h, ys = torch.zeros_like(entry[:, 0]), []
    # unbind, not indexing by t: the gradient of an index is a whole tensor of zeros, which makes the backward quadratic.
    for a, x, c in zip(decay.unbind(1), entry.unbind(1), C.unbind(1)):
        h = a * h + x
        ys.append((h * c.unsqueeze(1)).sum(-1))
    return torch.stack(ys, dim=1)


class Loop(torch.autograd.Function):
    """u, delta [T,B,D]; A [D,N]; B, C [T,B,N]."""

    @staticmethod
    def forward(ctx, u, delta, A, B, C):
        training = any(ctx.needs_input_grad)
        T, batch, D = u.shape
        kept = u.new_empty(T if training else 1, batch, D, A.shape[1])
        decay, entry, y = torch.empty_like(kept[0]), delta * u, torch.empty_like(u)
        h = torch.zeros_like(decay)
        for t in range(T):
            torch.mul(delta[t].unsqueeze(-1), A, out=decay)
            now = kept[t] if training else kept[0]
            torch.mul(decay.exp_(), h, out=now)
            h = now.addcmul_(entry[t].unsqueeze(-1), B[t].unsqueeze(1))
            torch.matmul(h, C[t].unsqueeze(-1), out=y[t].unsqueeze(-1))
        if training:
            ctx.save_for_backward(u, delta, A, B, C, kept)
        return y

    @staticmethod
    def backward(ctx, dy):
        u, delta, A, B, C, kept = ctx.saved_tensors
        T, batch, D = u.shape
        length = max(1, SLAB // kept[0].numel())
        carry, dA = torch.zeros_like(kept[0]), torch.zeros_like(A)
        du, ddelta, dB, dC = (torch.empty_like(x) for x in (u, delta, B, C))
        for start in reversed(range(0, T, length)):
            part = slice(start, min(T, start + length))
            decay = (delta[part].unsqueeze(-1) * A).exp_()
            g = dy[part].unsqueeze(-1) * C[part].unsqueeze(2)
            for t in reversed(range(g.shape[0])):
                g[t].add_(carry)
                torch.mul(g[t], decay[t], out=carry)
            dx = torch.matmul(g, B[part].unsqueeze(-1)).squeeze(-1)
            dB[part] = torch.matmul((delta[part] * u[part]).unsqueeze(2), g).squeeze(2)
            dC[part] = torch.matmul(dy[part].unsqueeze(2), kept[part]).squeeze(2)
            du[part] = dx * delta[part]
            # From here on: gradient of delta_t A, through the decay of the state before.
            rate = g.mul_(decay)
            rate[1:] *= kept[part.start : part.stop - 1]
            if start:
                rate[0] *= kept[start - 1]
            else:
                rate[0] = 0
            ddelta[part] = (rate * A).sum(-1).addcmul_(dx, u[part])
            dA += rate.mul_(delta[part].unsqueeze(-1)).sum((0, 1))
        return du, ddelta, dA, dB, dC


FORMS = {"published": (published, False), "loop": (Loop.apply, True)}


def inputs(B, T, D, N):
    """Batch first; positive steps, negative rates."""
    generator = torch.Generator().manual_seed(7)
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    u, b, c, dy = draw(B, T, D), draw(B, T, N), draw(B, T, N), draw(B, T, D)
    delta = 0.001 + 0.099 * torch.rand(B, T, D, generator=generator)
    rates = -torch.arange(1, N + 1, dtype=torch.float32).repeat(D, 1)
    return [u, delta, rates, b, c], dy


def arranged(form, tensors, dy):
    """The layout a form likes, and leaves for autograd."""
    time_first = FORMS[form][1]
    turn = lambda x: x.transpose(0, 1).contiguous() if time_first and x.dim() == 3 else x.clone()
    return [turn(x) for x in tensors], turn(dy)


def both(form, tensors, dy):
    y = FORMS[form][0](*tensors)
    return y, torch.autograd.grad(y, tensors, dy)


def check():
    """Largest relative RMS difference from the definition in double precision; None where one is not a number."""
    tensors, dy = inputs(2, 37, 5, 4)
    exact = [x.double().requires_grad_() for x in tensors]
    wanted, gradients = both("published", exact, dy.double())
    worst = 0.0
    for form, (_, time_first) in FORMS.items():
        own, own_dy = arranged(form, tensors, dy)
        y, grads = both(form, [x.requires_grad_() for x in own], own_dy)
        for got, want in zip((y, *grads), (wanted, *gradients)):
            got = got.transpose(0, 1) if time_first and got.dim() == 3 else got
            worst = worst_difference(worst, got, want)
            if worst is None:
                return None
    return worst


if __name__ == "__main__":
    serve(
        check,
        key=lambda request: [request[name] for name in ("form", "B", "T", "D", "N")],
        make=lambda form, *sizes: arranged(form, *inputs(*sizes)),
        forward=lambda request, leaves: FORMS[request["form"]][0](*leaves),
        both=lambda request, leaves, dy: both(request["form"], leaves, dy),
    )
