"""Golden values of the elementary functions, computed with mpmath at 300 bits and rounded once to f64.

Run:  python test/golden/make/elementary.py > test/golden/elementary.json     (needs mpmath)
Written: for each function a list of [x, value], for pow [x, y, value]; "nan", "inf", "-inf" and "-0" as strings.
"""

import json
import math
import platform
import random
import struct

import mpmath
from mpmath import mp, mpf

mp.prec = 2600  # sine of the largest doubles needs 1100 bits for its reduction
random.seed(20240611)


def rounded(value):
    """mpmath number to the nearest double, subnormals included, ties to even."""
    if mpmath.isnan(value) or mpmath.isinf(value) or value == 0:
        return float(value)
    mantissa, exponent = mpmath.frexp(value)
    bits = 53 if exponent >= -1021 else 53 - (-1021 - exponent)
    if bits < 1:
        return 0.0 if abs(value) <= mpf(2) ** -1075 else math.copysign(2.0**-1074, value)
    scaled = mpmath.nint(mantissa * mpf(2) ** bits)
    if exponent > 1024 or (exponent == 1024 and abs(scaled) >= mpf(2) ** bits):
        return math.copysign(math.inf, value)
    return float(scaled * mpf(2) ** (exponent - bits))


def plain(x):
    if x != x:
        return "nan"
    if math.isinf(x):
        return "inf" if x > 0 else "-inf"
    if x == 0 and math.copysign(1, x) < 0:
        return "-0"
    return x


def anywhere():
    """A double with random bits, finite."""
    while True:
        x = struct.unpack("<d", struct.pack("<Q", random.getrandbits(64)))[0]
        if math.isfinite(x):
            return x


def near(a, b, count):
    return [random.uniform(a, b) for _ in range(count)]


edge = [0.5, -0.5, 1.0, -1.0, 5e-324, -5e-324, 1e-310, -1e-310, 2.2250738585072014e-308, 1e-17, -1e-17, 1e-9]
arguments = {
    "exp": edge + near(-745, 710, 80) + near(-1, 1, 40) + [709.782712893384, 709.79, -745.13, -745.2, -708.5, -720.25, -744.4],
    "expm1": edge + near(-40, 710, 40) + near(-1, 1, 80) + near(-2, 2, 40) + [709.78, -36.5, 1e-300],
    "log": [abs(x) for x in edge] + [abs(anywhere()) for _ in range(60)] + near(0.5, 2, 60) + near(0.99, 1.01, 20) + [1.7976931348623157e308],
    "log2": [abs(x) for x in edge] + [2.0**k for k in (-1074, -1022, -3, 0, 1, 52, 1023)] + near(0.6, 3, 30) + [abs(anywhere()) for _ in range(20)],
    "log1p": edge[:3] + edge[4:] + near(-0.999, 3, 80) + near(-0.3, 0.42, 40) + [1e300, -1 + 2.0**-53, 1e15 + 0.5],
    "sin": edge + near(-10, 10, 60) + near(-1048576, 1048576, 40) + [anywhere() for _ in range(20)] + [math.pi, 2 * math.pi, math.pi / 2, math.pi / 4, 6381956970095103 * 2.0**797, 1048576.0, 1e22, 1.7976931348623157e308],
    "tanh": edge + near(-3, 3, 60) + near(-25, 25, 20) + [21.9, 22.1, 700.0],
    "sigmoid": edge + near(-40, 40, 40) + [-745.0, -720.0, 800.0],
    "softplus": edge + near(-40, 40, 40) + [-745.0, -720.0, 800.0],
    "erf": edge + near(-1.2, 1.2, 40) + near(-6.5, 6.5, 40),
    "erfc": edge + near(-3, 6, 40) + near(0.4, 1.1, 30) + near(6, 27.2, 40) + [26.6, 27.0],
}
arguments["cos"] = arguments["sin"]
functions = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "log1p": lambda x: mpmath.log(1 + x),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
}

powers = [(random.uniform(0, 3), random.uniform(-30, 30)) for _ in range(60)]
powers += [(1 + random.uniform(-1e-6, 1e-6), random.uniform(-6e8, 6e8)) for _ in range(30)]
powers += [(abs(anywhere()), random.uniform(-1, 1)) for _ in range(40)]
powers += [(b, float(n)) for b in (0.9, 0.95, 0.999, 1.5, 2.0, 3.0, 7.0, 10.0) for n in (-3, 1, 2, 5, 13, 100)]
powers += [(-2.0, 3.0), (-3.0, 2.0), (-1.5, -7.0), (0.5, 1074.0), (0.5, 1073.5), (2.0, 1023.5), (2.0, -1040.25)]

cases = {}
for name, xs in arguments.items():
    cases[name] = [[plain(x), plain(rounded(functions[name](mpf(x))))] for x in xs]
cases["pow"] = [[x, y, plain(rounded(mpmath.power(mpf(x), mpf(y))))] for x, y in powers]
header = f"mpmath {mpmath.__version__}, Python {platform.python_version()}, {mp.prec} bits, rounded once to f64"
lines = [f'"{k}": ' + json.dumps(v) for k, v in cases.items()]
print('{"made": ' + json.dumps({"by": "test/golden/make/elementary.py", "with": header}) + ",")
print(",\n".join(lines) + "}")
