"""Golden values from SciPy: minimisers on standard functions, and fits of generated runs.

Run:  python test/golden/make/scaling_laws.py > test/golden/scaling-laws.json     (needs numpy and scipy)

Functions: minima reached by L-BFGS-B with its defaults (iterations and evaluations show that the steps are alike),
and by tight tolerances. Fits: runs on a generated grid with heavy-tailed noise; the summed Huber loss of the logarithm
is minimised from several starts with tight tolerances, then polished by Nelder-Mead.
"""

import itertools
import json
import platform

import numpy as np
import scipy
from scipy.optimize import minimize

DELTA = 1e-3


def rosenbrock(x):
    x = np.asarray(x)
    f = np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    g = np.zeros_like(x)
    g[:-1] += -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    return f, g


def beale(x):
    y = np.array([1.5, 2.25, 2.625])
    p = np.arange(1, 4)
    r = y - x[0] * (1 - x[1] ** p)
    g0 = np.sum(-2 * r * (1 - x[1] ** p))
    g1 = np.sum(2 * r * x[0] * p * x[1] ** (p - 1))
    return np.sum(r * r), np.array([g0, g1])


def booth(x):
    # Shifted and scaled so that nothing is centred at zero.
    u, v = 3 * (x[0] - 2), x[1] + 5
    a, b = u + 2 * v - 7, 2 * u + v - 5
    return a * a + b * b, np.array([3 * (2 * a + 4 * b), 4 * a + 2 * b])


def powell(x):
    a, b, c, d = x[0] + 10 * x[1], x[2] - x[3], x[1] - 2 * x[2], x[0] - x[3]
    f = a * a + 5 * b * b + c**4 + 10 * d**4
    return f, np.array(
        [2 * a + 40 * d**3, 20 * a + 4 * c**3, 10 * b - 8 * c**3, -10 * b - 40 * d**3]
    )


FUNCTIONS = {
    "rosenbrock": (rosenbrock, [[-1.2, 1.0], [0.0, 3.0], [-1.2, 1.0, -1.2, 1.0, 2.0]]),
    "beale": (beale, [[1.0, 1.0], [2.0, -0.3]]),
    "booth": (booth, [[0.0, 0.0], [30.0, -40.0]]),
    "powell": (powell, [[3.0, -1.0, 0.0, 1.0]]),
}


def minima():
    rows = []
    for name, (function, starts) in FUNCTIONS.items():
        for start in starts:
            plain = minimize(function, start, jac=True, method="L-BFGS-B")
            tight = minimize(
                function, start, jac=True, method="L-BFGS-B", options=dict(ftol=0, gtol=1e-9, maxiter=5000)
            )
            rows.append(
                {
                    "name": name,
                    "start": start,
                    "default": {
                        "x": list(plain.x),
                        "f": float(plain.fun),
                        "iterations": int(plain.nit),
                        "evaluations": int(plain.nfev),
                    },
                    "tight": {"x": list(tight.x), "f": float(tight.fun)},
                }
            )
    return rows


def huber(r):
    size = np.abs(r)
    return np.where(size <= DELTA, 0.5 * r * r, DELTA * (size - 0.5 * DELTA)).sum()


def lse(*z):
    z = np.stack(np.broadcast_arrays(*z))
    m = z.max(0)
    return m + np.log(np.exp(z - m).sum(0))


def noise(count, seed):
    return np.random.default_rng(seed).standard_t(4, count) * 3e-3


def best(objective, starts):
    found = min((minimize(objective, s, method="BFGS", options=dict(gtol=1e-12)) for s in starts), key=lambda r: r.fun)
    for _ in range(6):
        found = min(
            found,
            minimize(objective, found.x, method="Nelder-Mead", options=dict(xatol=1e-11, fatol=1e-18, maxiter=20000, maxfev=20000)),
            key=lambda r: r.fun,
        )
    return found


def fits():
    grid = list(itertools.product(np.geomspace(4e7, 1.6e10, 8), np.geomspace(1e9, 4e11, 7)))
    n = np.array([p[0] for p in grid]).round()
    d = np.array([p[1] for p in grid]).round()
    ln, ld = np.log(n), np.log(d)
    out = []

    a, b, e, alpha, beta = np.log(420.0), np.log(1800.0), np.log(1.75), 0.34, 0.35
    loss = np.exp(lse(a - alpha * ln, b - beta * ld, e + 0 * ln) + noise(len(n), 1))
    found = best(
        lambda t: huber(lse(t[0] - t[3] * ln, t[1] - t[4] * ld, t[2] + 0 * ln) - np.log(loss)),
        [(6, 7, 0.5, 0.3, 0.3), (5, 8, 0.6, 0.35, 0.4), (8, 6, 0.4, 0.4, 0.3)],
    )
    out.append({
        "law": "chinchilla", "columns": {"n": list(n), "d": list(d), "loss": list(loss)},
        "objective": found.fun,
        "parameters": {"A": np.exp(found.x[0]), "B": np.exp(found.x[1]), "E": np.exp(found.x[2]), "alpha": found.x[3], "beta": found.x[4]},
    })

    loss = np.exp(lse(np.log(30.0) - 0.2 * ln, np.log(1.9) + 0 * ln) + noise(len(n), 2))
    found = best(lambda t: huber(lse(t[0] - t[2] * ln, t[1] + 0 * ln) - np.log(loss)), [(3, 0.5, 0.2), (4, 0.6, 0.3)])
    out.append({
        "law": "power-offset-n", "columns": {"n": list(n), "loss": list(loss)}, "objective": found.fun,
        "parameters": {"A": np.exp(found.x[0]), "E": np.exp(found.x[1]), "alpha": found.x[2]},
    })

    nc, dc, an, ad = np.log(6.4e13), np.log(1.8e13), 0.076, 0.103
    loss = np.exp(ad * lse(an / ad * (nc - ln), dc - ld) + noise(len(n), 3))
    found = best(
        lambda t: huber(t[3] * lse(t[2] / t[3] * (t[0] - ln), t[1] - ld) - np.log(loss)),
        [(31, 30, 0.08, 0.1), (32, 31, 0.07, 0.1), (nc, dc, an, ad)],
    )
    out.append({
        "law": "kaplan-nd", "columns": {"n": list(n), "d": list(d), "loss": list(loss)}, "objective": found.fun,
        "parameters": {"Nc": np.exp(found.x[0]), "Dc": np.exp(found.x[1]), "alphaN": found.x[2], "alphaD": found.x[3]},
    })
    return out


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return float(value) if isinstance(value, (np.floating, float)) else value


print(json.dumps(
    plain({
        "made": {"scipy": scipy.__version__, "numpy": np.__version__, "python": platform.python_version()},
        "minima": minima(),
        "fits": fits(),
    }),
))
