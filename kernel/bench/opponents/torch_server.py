"""What the programs in PyTorch share: they answer one line of JSON with another, and time calls on kept tensors."""
import json
import platform
import sys
import time

import torch


def serve(check, key, make, forward, both):
    """First says versions and what `check()` found, then answers requests until its input ends.

    key(request) names a problem, make(*key) gives its (tensors, dy) and is kept for the next request of the same key;
    forward(request, leaves) and both(request, leaves, dy) are what is timed.
    """
    say = lambda document: print(json.dumps(document), flush=True)
    say(dict(torch=torch.__version__, python=platform.python_version(), difference=check()))
    known, made = None, None
    for line in sys.stdin:
        try:
            request = json.loads(line)
            if key(request) != known:
                known, made = None, None
                made, known = make(*key(request)), key(request)
            say(timed(request, *made, forward, both))
        except Exception as error:  # a problem too large must not end the run
            say(dict(error=f"{type(error).__name__}: {error}"[:300]))


def timed(request, tensors, dy, forward, both):
    """Milliseconds a call."""
    torch.set_num_threads(request["threads"])
    training = request["direction"] == "forward+backward"
    leaves = [x.detach().requires_grad_(training) for x in tensors]
    before = time.perf_counter()
    for _ in range(request["calls"]):
        if training:
            both(request, leaves, dy)
        else:
            with torch.no_grad():
                forward(request, leaves)
    return dict(ms=(time.perf_counter() - before) * 1e3 / request["calls"])


def worst_difference(worst, got, want):
    """The larger of `worst` and the relative RMS difference of two tensors; None where that is not a number."""
    error = (got.double() - want).pow(2).mean().sqrt() / want.pow(2).mean().sqrt()
    return max(worst, error.item()) if torch.isfinite(error) else None
