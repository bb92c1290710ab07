"""Sequence mixers in PyTorch, as opponents for the library's kernels.

    python sequence_mixers.py MIXER     first checks itself, then answers one line of JSON with another

MIXER is scalar-decay, diagonal-decay, delta-rule, dplr, softmax-attention, decode, linear-recurrence or wkv4; the
equations stand beside the functions. q, k [B,T,H,K], v [B,T,H,V], log-decays g [B,T,H] or [B,T,H,K], as upstream.
`loop` is the definition read aloud, one token after the other, all sequences and heads at once, gradients by autograd.
`chunk` is what a careful user writes: chunks of 64 tokens (16 where a decay has a lane for every key), matrix products
inside and across, heads and chunks as one batch, one small loop over chunks for the states; gradients by autograd.
`bounded` (diagonal-decay) takes for granted that 16 decays together stay above e^-80, so that inner products need no
element-wise exponentials; the library's kernels do not.

A request holds B, T, H, K, V, form, direction (forward, forward+backward or step), threads and calls; the answer is
{"ms": milliseconds a call} or {"error": text}. The first line, unasked, names versions and the largest relative
difference of outputs and gradients from the loop in double precision.
"""
import sys

import torch
import torch.nn.functional as F

from torch_server import serve, worst_difference

CHUNK = 64
SUB = 16


def heads_first(*tensors):
    """[B,T,H,...] to contiguous [B,H,T,...]."""
    return [x.transpose(1, 2).contiguous() for x in tensors]


def chunked(x, size):
    """[B,H,T,...] to [B,H,chunks,size,...]; T is a multiple of size."""
    return x.reshape(*x.shape[:2], x.shape[2] // size, size, *x.shape[3:])


def padded(size, *tensors):
    """Pads time (axis 2) with zeros, which neither decay nor write."""
    rest = -tensors[0].shape[2] % size
    if rest == 0:
        return tensors
    return [F.pad(x, [0, 0] * (x.dim() - 3) + [0, rest]) for x in tensors]


def through_chunks(decays, writes):
    """States before every chunk: S <- decay S + write. decays, writes [B,H,chunks,...]."""
    state, before = torch.zeros_like(writes[:, :, 0]), []
    for decay, write in zip(decays.unbind(2), writes.unbind(2)):
        before.append(state)
        state = decay * state + write
    return torch.stack(before, 2)


def lower(n, like, diagonal=0):
    return torch.ones(n, n, dtype=like.dtype).tril(diagonal).bool()


# S_t = e^g S_{t-1} + k v^T, o = S^T q


def scalar_loop(q, k, v, g):
    state, out = torch.zeros(*q.shape[:1], q.shape[2], q.shape[3], v.shape[3], dtype=q.dtype), []
    for qt, kt, vt, gt in zip(*(x.unbind(1) for x in (q, k, v, g))):
        state = gt.exp()[..., None, None] * state + kt[..., :, None] * vt[..., None, :]
        out.append((qt[..., None, :] @ state).squeeze(-2))
    return torch.stack(out, 1)


def scalar_chunk(q, k, v, g):
    T = q.shape[1]
    q, k, v, g = (chunked(x, CHUNK) for x in padded(CHUNK, *heads_first(q, k, v, g)))
    b = g.cumsum(-1)
    decay = (b[..., :, None] - b[..., None, :]).masked_fill(~lower(CHUNK, q), -1e30).exp()
    own = (q @ k.transpose(-1, -2) * decay) @ v
    writes = (k * (b[..., -1:] - b).exp()[..., None]).transpose(-1, -2) @ v
    states = through_chunks(b[..., -1].exp()[..., None, None], writes)
    y = own + (q * b.exp()[..., None]) @ states
    return y.flatten(2, 3)[:, :, :T].transpose(1, 2)


# S_t = Diag(e^g) S_{t-1} + k v^T, o = S^T q


def diagonal_loop(q, k, v, g):
    state, out = torch.zeros(*q.shape[:1], q.shape[2], q.shape[3], v.shape[3], dtype=q.dtype), []
    for qt, kt, vt, gt in zip(*(x.unbind(1) for x in (q, k, v, g))):
        state = gt.exp()[..., None] * state + kt[..., :, None] * vt[..., None, :]
        out.append((qt[..., None, :] @ state).squeeze(-2))
    return torch.stack(out, 1)


def diagonal_parts(q, k, v, g, size):
    return [chunked(x, size) for x in padded(size, *heads_first(q, k, v, g))]


def diagonal_chunk(q, k, v, g):
    T = q.shape[1]
    q, k, v, g = diagonal_parts(q, k, v, g, SUB)
    b = g.cumsum(-2)
    decay = (b[..., :, None, :] - b[..., None, :, :]).masked_fill(~lower(SUB, q)[..., None], -1e30).exp()
    scores = torch.einsum("bhcik,bhcjk,bhcijk->bhcij", q, k, decay)
    return diagonal_finish(q, k, v, b, scores, T)


def diagonal_bounded(q, k, v, g):
    T = q.shape[1]
    q, k, v, g = diagonal_parts(q, k, v, g, SUB)
    b = g.cumsum(-2)
    middle = b[..., SUB // 2, None, :]
    scores = (q * (b - middle).exp()) @ (k * (middle - b).exp()).transpose(-1, -2)
    return diagonal_finish(q, k, v, b, scores.masked_fill(~lower(SUB, q), 0), T)


def diagonal_finish(q, k, v, b, scores, T):
    end = b[..., -1, :]
    writes = (k * (end[..., None, :] - b).exp()).transpose(-1, -2) @ v
    states = through_chunks(end.exp()[..., None], writes)
    y = scores @ v + (q * b.exp()) @ states
    return y.flatten(2, 3)[:, :, :T].transpose(1, 2)


# S' = e^g S_{t-1}, S_t = S' + k (beta (v - S'^T k))^T, o = S^T q


def delta_loop(q, k, v, beta, g):
    state, out = torch.zeros(*q.shape[:1], q.shape[2], q.shape[3], v.shape[3], dtype=q.dtype), []
    for qt, kt, vt, bt, gt in zip(*(x.unbind(1) for x in (q, k, v, beta, g))):
        state = gt.exp()[..., None, None] * state
        u = bt[..., None] * (vt - (kt[..., None, :] @ state).squeeze(-2))
        state = state + kt[..., :, None] * u[..., None, :]
        out.append((qt[..., None, :] @ state).squeeze(-2))
    return torch.stack(out, 1)


def delta_chunk(q, k, v, beta, g):
    T = q.shape[1]
    q, k, v, beta, g = (chunked(x, CHUNK) for x in padded(CHUNK, *heads_first(q, k, v, beta, g)))
    b = g.cumsum(-1)
    decay = (b[..., :, None] - b[..., None, :]).masked_fill(~lower(CHUNK, q), -1e30).exp()
    weighted = k * beta[..., None]
    system = torch.eye(CHUNK, dtype=q.dtype) + (weighted @ k.transpose(-1, -2) * decay).tril(-1)
    right = torch.cat([v * beta[..., None], weighted * b.exp()[..., None]], -1)
    solved = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)
    u, w = solved.split([v.shape[-1], k.shape[-1]], -1)
    kept = (k * (b[..., -1:] - b).exp()[..., None]).transpose(-1, -2)
    state, states, inner = torch.zeros_like(kept[:, :, 0] @ u[:, :, 0]), [], []
    for uc, wc, kc, total in zip(u.unbind(2), w.unbind(2), kept.unbind(2), b[..., -1].exp().unbind(2)):
        states.append(state)
        inner.append(uc - wc @ state)
        state = total[..., None, None] * state + kc @ inner[-1]
    y = (q @ k.transpose(-1, -2) * decay) @ torch.stack(inner, 2) + (q * b.exp()[..., None]) @ torch.stack(states, 2)
    return y.flatten(2, 3)[:, :, :T].transpose(1, 2)


# S_t = Diag(e^g) S_{t-1} + b (a^T S_{t-1}) + k v^T, o = S^T q


def dplr_loop(q, k, v, a, b, g):
    state, out = torch.zeros(*q.shape[:1], q.shape[2], q.shape[3], v.shape[3], dtype=q.dtype), []
    for qt, kt, vt, at, bt, gt in zip(*(x.unbind(1) for x in (q, k, v, a, b, g))):
        read = at[..., None, :] @ state
        state = gt.exp()[..., None] * state + bt[..., :, None] * read + kt[..., :, None] * vt[..., None, :]
        out.append((qt[..., None, :] @ state).squeeze(-2))
    return torch.stack(out, 1)


def dplr_chunk(q, k, v, a, b, g):
    T = q.shape[1]
    q, k, v, a, b, g = (chunked(x, SUB) for x in padded(SUB, *heads_first(q, k, v, a, b, g)))
    total = g.cumsum(-2)
    middle = total[..., SUB // 2, None, :]
    grow, shrink = (middle - total).exp(), (total - middle).exp()
    qs, before = q * shrink, a * (total - g - middle).exp()
    ks, bs = (k * grow).transpose(-1, -2), (b * grow).transpose(-1, -2)
    strict, inclusive = ~lower(SUB, q, -1), ~lower(SUB, q)
    system = torch.eye(SUB, dtype=q.dtype) - (before @ bs).masked_fill(strict, 0)
    right = torch.cat([(before @ ks).masked_fill(strict, 0) @ v, a * (total - g).exp()], -1)
    u, w = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True).split([v.shape[-1], k.shape[-1]], -1)
    end = total[..., -1, :]
    left = (end[..., None, :] - total).exp()
    writes = (k * left).transpose(-1, -2) @ v
    backs = (b * left).transpose(-1, -2)
    state, states, reads = torch.zeros_like(writes[:, :, 0]), [], []
    for uc, wc, bc, write, decay in zip(u.unbind(2), w.unbind(2), backs.unbind(2), writes.unbind(2), end.exp().unbind(2)):
        states.append(state)
        reads.append(uc + wc @ state)
        state = decay[..., None] * state + write + bc @ reads[-1]
    y = (qs @ ks).masked_fill(inclusive, 0) @ v + (qs @ bs).masked_fill(inclusive, 0) @ torch.stack(reads, 2)
    y = y + (q * total.exp()) @ torch.stack(states, 2)
    return y.flatten(2, 3)[:, :, :T].transpose(1, 2)


# softmax attention, causal; and one query against a cache of T keys


def attention_plain(q, k, v, causal=True):
    q, k, v = heads_first(q, k, v)
    group = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(group, 1) for x in (k, v)) if group > 1 else (k, v)
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if causal:
        scores = scores.masked_fill(~lower(q.shape[2], q), -1e30)
    return (scores.softmax(-1) @ v).transpose(1, 2)


def attention_sdpa(q, k, v, causal=True):
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    group = q.shape[1] != k.shape[1]
    extra = dict(enable_gqa=True) if group else {}
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, **extra).transpose(1, 2)


def decode_of(attention):
    return lambda q, k, v: attention(q, k, v, causal=False)


# h_t = a h_{t-1} + b


def recurrence_loop(a, b):
    h, out = torch.zeros_like(b[:, 0]), []
    for at, bt in zip(a.unbind(1), b.unbind(1)):
        h = at * h + bt
        out.append(h)
    return torch.stack(out, 1)


def recurrence_doubling(a, b):
    reach = 1
    while reach < a.shape[1]:
        b = torch.cat([b[:, :reach], a[:, reach:] * b[:, :-reach] + b[:, reach:]], 1)
        a = torch.cat([a[:, :reach], a[:, reach:] * a[:, :-reach]], 1)
        reach *= 2
    return b


# RWKV-4, arXiv 2305.13048v2, equations 19 to 22 in log space


def wkv4_loop(k, v, w, u):
    aa = bb = torch.zeros_like(k[:, 0])
    pp = torch.full_like(aa, -1e30)
    out = []
    for kt, vt in zip(k.unbind(1), v.unbind(1)):
        p = torch.maximum(pp, u + kt)
        e1, e2 = (pp - p).exp(), (u + kt - p).exp()
        out.append((e1 * aa + e2 * vt) / (e1 * bb + e2))
        p = torch.maximum(pp + w, kt)
        e1, e2 = (pp + w - p).exp(), (kt - p).exp()
        aa, bb, pp = e1 * aa + e2 * vt, e1 * bb + e2, p
    return torch.stack(out, 1)


def draw(shapes, seed=7):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator) for shape in shapes]


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def heads_inputs(B, T, H, K, V, lanes):
    q, k, v, dy, g = draw([(B, T, H, K), (B, T, H, K), (B, T, H, V), (B, T, H, V), (B, T, H, K) if lanes else (B, T, H)])
    return unit(q), unit(k), v, F.logsigmoid(g) / (16 if lanes else 1), dy


def scalar_inputs(B, T, H, K, V):
    q, k, v, g, dy = heads_inputs(B, T, H, K, V, False)
    return [q, k, v, g], dy


def diagonal_inputs(B, T, H, K, V):
    q, k, v, g, dy = heads_inputs(B, T, H, K, V, True)
    return [q, k, v, g], dy


def delta_inputs(B, T, H, K, V):
    q, k, v, g, dy = heads_inputs(B, T, H, K, V, False)
    return [q, k, v, torch.sigmoid(v[..., 0]), g / 16], dy


def dplr_inputs(B, T, H, K, V):
    q, k, v, g, dy = heads_inputs(B, T, H, K, V, True)
    return [q, k, v, -k, k * torch.sigmoid(v[..., :1]), g * 8], dy


def attention_inputs(B, T, H, Hkv, K, V):
    q, k, v, dy = draw([(B, T, H, K), (B, T, Hkv, K), (B, T, Hkv, V), (B, T, H, V)])
    return [q, k, v], dy


def decode_inputs(B, T, H, Hkv, K, V):
    q, k, v, dy = draw([(B, 1, H, K), (B, T, Hkv, K), (B, T, Hkv, V), (B, 1, H, V)])
    return [q, k, v], dy


def recurrence_inputs(B, T, D):
    a, b, dy = draw([(B, T, D)] * 3)
    return [torch.sigmoid(a), b], dy


def wkv4_inputs(B, T, D):
    k, v, w, u, dy = draw([(B, T, D), (B, T, D), (D,), (D,), (B, T, D)])
    return [k, v, -torch.exp(w), u], dy


HEADS = ("B", "T", "H", "K", "V")
GROUPED = ("B", "T", "H", "Hkv", "K", "V")
ATTENTION = {"plain": attention_plain}
if hasattr(F, "scaled_dot_product_attention"):
    ATTENTION["sdpa"] = attention_sdpa
# mixer: forms (the first is the definition), inputs, sizes, sizes of the check
MIXERS = {
    "scalar-decay": ({"loop": scalar_loop, "chunk": scalar_chunk}, scalar_inputs, HEADS, (2, 131, 3, 5, 7)),
    "diagonal-decay": (
        {"loop": diagonal_loop, "chunk": diagonal_chunk, "bounded": diagonal_bounded},
        diagonal_inputs,
        HEADS,
        (2, 67, 3, 5, 7),
    ),
    "delta-rule": ({"loop": delta_loop, "chunk": delta_chunk}, delta_inputs, HEADS, (2, 131, 3, 5, 7)),
    "dplr": ({"loop": dplr_loop, "chunk": dplr_chunk}, dplr_inputs, HEADS, (2, 67, 3, 5, 7)),
    "softmax-attention": (ATTENTION, attention_inputs, GROUPED, (2, 37, 4, 4, 5, 5)),
    "decode": ({name: decode_of(f) for name, f in ATTENTION.items()}, decode_inputs, GROUPED, (2, 37, 4, 2, 8, 8)),
    "linear-recurrence": ({"loop": recurrence_loop, "doubling": recurrence_doubling}, recurrence_inputs, ("B", "T", "D"), (2, 37, 5)),
    "wkv4": ({"loop": wkv4_loop}, wkv4_inputs, ("B", "T", "D"), (2, 37, 5)),
}


def both(form, tensors, dy):
    y = form(*tensors)
    return y, torch.autograd.grad(y, tensors, dy)


def check(forms, make, sizes):
    """Largest relative RMS difference from the first form in double precision; None where one is not a number."""
    tensors, dy = make(*sizes)
    wanted = both(next(iter(forms.values())), [x.double().requires_grad_() for x in tensors], dy.double())
    worst = 0.0
    for form in forms.values():
        got = both(form, [x.clone().requires_grad_() for x in tensors], dy)
        for one, other in zip((got[0], *got[1]), (wanted[0], *wanted[1])):
            worst = worst_difference(worst, one, other)
            if worst is None:
                return None
    return worst


if __name__ == "__main__":
    forms, make, names, small = MIXERS[sys.argv[1]]
    serve(
        lambda: check(forms, make, small),
        key=lambda request: [request[name] for name in names],
        make=make,
        forward=lambda request, leaves: forms[request["form"]](*leaves),
        both=lambda request, leaves, dy: both(forms[request["form"]], leaves, dy),
    )
