"""Golden values of distribution functions, intervals and tests, computed with SciPy.

Run:  python test/golden/make/inference.py > test/golden/statistics.json     (needs numpy, scipy)
"""

import json
import platform

import numpy as np
import scipy
from scipy import special, stats

rng = np.random.default_rng(20240611)


def sample(n, mean=0.0, sd=1.0):
    return np.round(rng.normal(mean, sd, n), 6).tolist()


out = {
    "made": {
        "by": "test/golden/make/inference.py",
        "with": f"SciPy {scipy.__version__}, NumPy {np.__version__}, Python {platform.python_version()}",
    }
}
out["logGamma"] = [[x, float(special.gammaln(x))] for x in (1e-5, 0.1, 0.5, 1, 1.5, 2, 3.3, 10, 14.9, 15, 100, 1e4, 1e8)]
out["incompleteBeta"] = [
    [x, a, b, float(special.betainc(a, b, x))]
    for x in (1e-6, 0.01, 0.3, 0.5, 0.77, 0.99)
    for a, b in ((0.5, 0.5), (2.0, 0.5), (0.5, 30.0), (5.0, 5.0), (100.0, 0.5), (33.3, 70.1))
]
out["normal"] = [[z, float(stats.norm.cdf(z))] for z in (-8.0, -3.2, -1.0, -1e-3, 0.0, 0.5, 1.96, 5.0)]
out["normalQuantile"] = [[p, float(stats.norm.ppf(p))] for p in (1e-12, 0.001, 0.025, 0.3, 0.5, 0.9, 0.995)]
out["student"] = [
    [t, df, float(stats.t.cdf(t, df))]
    for t in (-40.0, -3.0, -0.7, -1e-4, 0.0, 0.2, 1.5, 2.776, 9.0)
    for df in (1, 2, 4, 9.5, 30, 1000)
]
out["studentQuantile"] = [
    [p, df, float(stats.t.ppf(p, df))] for p in (0.001, 0.025, 0.05, 0.4, 0.6, 0.95, 0.975, 0.9995) for df in (1, 2, 4, 9.5, 30, 1000)
]

a, b = sample(7, 1.2, 0.5), sample(7, 1.0, 0.4)
c = sample(11, 0.8, 1.5)
ci = stats.ttest_1samp(a, 0).confidence_interval(0.95)
paired = stats.ttest_rel(a, b)
welch = stats.ttest_ind(a, c, equal_var=False)
low, high = -0.9, 0.7
out["samples"] = {"a": a, "b": b, "c": c}
out["describe"] = {
    "mean": float(np.mean(a)),
    "sd": float(np.std(a, ddof=1)),
    "quantiles": [[q, float(np.quantile(c, q))] for q in (0, 0.05, 0.33, 0.5, 0.9, 1)],
}
out["tInterval"] = [float(ci.low), float(ci.high)]
pci = paired.confidence_interval(0.9)
out["paired"] = {"low": float(pci.low), "high": float(pci.high), "df": float(paired.df)}
wci = welch.confidence_interval(0.9)
out["welch"] = {"low": float(wci.low), "high": float(wci.high), "df": float(welch.df)}
d = np.subtract(a, b)
out["equivalence"] = {
    "low": low,
    "high": high,
    "pLow": float(stats.ttest_1samp(d, low, alternative="greater").pvalue),
    "pHigh": float(stats.ttest_1samp(d, high, alternative="less").pvalue),
}
res = stats.bootstrap((c,), np.mean, n_resamples=399, confidence_level=0.9, method="BCa", rng=7)
out["bca"] = {
    "distribution": res.bootstrap_distribution.tolist(),
    "low": float(res.confidence_interval.low),
    "high": float(res.confidence_interval.high),
}
skew = np.round(rng.lognormal(0, 1, 15), 6).tolist()
big = stats.bootstrap((skew,), np.mean, n_resamples=40000, confidence_level=0.95, method="percentile", rng=8, vectorized=True)
bigbca = stats.bootstrap((skew,), np.mean, n_resamples=40000, confidence_level=0.95, method="BCa", rng=9, vectorized=True)
out["bootstrap"] = {
    "values": skew,
    "meanPercentile": [float(big.confidence_interval.low), float(big.confidence_interval.high)],
    "meanBca": [float(bigbca.confidence_interval.low), float(bigbca.confidence_interval.high)],
}
x = [128, 256, 512, 1024, 2048, 4096]
y = np.round(1e-3 * np.array(x) ** 1.1 * np.exp(rng.normal(0, 0.05, len(x))), 6).tolist()
fit = stats.linregress(np.log(x), np.log(y))
top = stats.linregress(np.log(x[2:]), np.log(y[2:]))
out["slope"] = {
    "x": x,
    "y": y,
    "slope": float(fit.slope),
    "intercept": float(fit.intercept),
    "error": float(fit.stderr),
    "half": float(fit.stderr * stats.t.ppf(0.975, len(x) - 2)),
    "top8": float(top.slope),
    "theilSen": float(stats.theilslopes(y, x).slope),
}
print(json.dumps(out, indent=1))
