"""Time of the 4,500-start grid of Chinchilla's approach 3: `assay fit` beside SciPy's L-BFGS-B, on the same runs.

Run:  python kernel/bench/opponents/scaling_laws.py RUNS.csv [--drop-highest K] [--rounds R]   (needs numpy and scipy,
and the build). RUNS.csv has the columns n (parameters), d (tokens) or c (FLOP), and loss; names as `assay fit` finds
them. Both use two processes or threads, the same summed Huber objective with analytic gradients (SciPy's vectorised
over the runs) and the same tolerances; rounds alternate, medians are printed. On a shared machine read the ratio only.
"""

import argparse
import csv
import itertools
import json
import multiprocessing
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import scipy
from scipy.optimize import minimize

DELTA = 1e-3
ROOT = pathlib.Path(__file__).resolve().parents[3]
NAMES = {
    "n": ["n", "params", "parameters", "modelsize"],
    "d": ["d", "tokens", "trainingtokens"],
    "c": ["c", "flop", "flops", "trainingflop"],
    "loss": ["loss"],
}


def load(path, drop):
    rows = list(csv.DictReader(open(path)))
    plain = {re.sub("[^a-z0-9]", "", key.lower()): key for key in rows[0]}
    column = lambda name: next(
        (np.array([float(row[plain[k]]) for row in rows]) for k in NAMES[name] if k in plain), None
    )
    n, d, c, loss = (column(name) for name in ("n", "d", "c", "loss"))
    d = c / 6 / n if d is None else d
    kept = np.argsort(-loss, kind="stable")[drop:]
    return np.log(n[kept]), np.log(d[kept]), np.log(loss[kept])


def objective(x, ln, ld, ll):
    z = np.stack([x[0] - x[3] * ln, x[1] - x[4] * ld, np.full_like(ln, x[2])])
    m = z.max(0)
    e = np.exp(z - m)
    s = e.sum(0)
    r = m + np.log(s) - ll
    size = np.abs(r)
    value = np.where(size <= DELTA, 0.5 * r * r, DELTA * (size - 0.5 * DELTA)).sum()
    psi = np.clip(r, -DELTA, DELTA)
    share = psi * e / s
    return value, np.array([share[0].sum(), share[1].sum(), share[2].sum(), -(share[0] * ln).sum(), -(share[1] * ld).sum()])


def work(job):
    starts, data = job
    return min(
        (minimize(objective, s, args=data, jac=True, method="L-BFGS-B") for s in starts), key=lambda found: found.fun
    ).fun


def scipy_seconds(data):
    starts = list(
        itertools.product(range(0, 30, 5), range(0, 30, 5), [-1, -0.5, 0, 0.5, 1], [0, 0.5, 1, 1.5, 2], [0, 0.5, 1, 1.5, 2])
    )
    begun = time.perf_counter()
    with multiprocessing.Pool(2) as pool:
        best = min(pool.imap_unordered(work, [(starts[i : i + 50], data) for i in range(0, len(starts), 50)]))
    return time.perf_counter() - begun, best


def assay_seconds(path, drop, starts):
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        ran = subprocess.run(
            ["node", str(ROOT / "kernel/cli/bin.mjs"), "fit", path, "--law", "chinchilla", "--starts", starts]
            + ["--drop-highest", str(drop), "--bootstrap", "0", "--workers", "2", "--json", "--out", folder],
            capture_output=True, text=True, check=True,
        )
        return time.perf_counter() - begun, json.loads(ran.stdout)["objective"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("runs")
    parser.add_argument("--drop-highest", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    data = load(given.runs, given.drop_highest)
    times = {"assay, 4,500 starts": [], "scipy, 4,500 starts": [], "assay, default starts": []}
    objectives = {}
    for _ in range(given.rounds):
        for name, run in (
            ("assay, 4,500 starts", lambda: assay_seconds(given.runs, given.drop_highest, "grid")),
            ("scipy, 4,500 starts", lambda: scipy_seconds(data)),
            ("assay, default starts", lambda: assay_seconds(given.runs, given.drop_highest, "default")),
        ):
            seconds, objectives[name] = run()
            times[name].append(seconds)
    print(f"{len(data[0])} runs, scipy {scipy.__version__}, 2 threads or processes each, {given.rounds} rounds")
    for name, seconds in times.items():
        print(f"{name:24} {statistics.median(seconds):7.2f} s   objective {objectives[name]:.12e}")
    pair = [statistics.median(times[name]) for name in ("assay, 4,500 starts", "scipy, 4,500 starts")]
    print(f"ratio of the grids       {pair[0] / pair[1]:7.2f}")
