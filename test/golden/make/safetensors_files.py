"""A small file written by the Python package safetensors, and a check of files written by this library.

Run:  python test/golden/make/safetensors_files.py write test/golden/sample.safetensors     (needs safetensors, numpy, torch)
      python test/golden/make/safetensors_files.py check FILE     reads a file written by encodeSafetensors
"""

import sys

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.torch import save_file

ARRAYS = {
    "f32": np.array([[0.5, -1.25, 3e-39], [1e30, 0.0, -0.0]], dtype=np.float32),
    "f64": np.array([0.1, -1e300]),
    "f16": np.array([0.5, -2.0, 65504.0, 6e-8], dtype=np.float16),
    "i32": np.array([-(2**31), 2**31 - 1], dtype=np.int32),
    "i64": np.array([[1, -2, 3]], dtype=np.int64),
    "u8": np.array([0, 255], dtype=np.uint8),
    "bool": np.array([True, False, True]),
    "empty": np.zeros((0, 3), dtype=np.float32),
    "scalar": np.array(7.0, dtype=np.float32),
}


def write(path):
    tensors = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}
    tensors["bf16"] = torch.tensor([1.5, -3.0], dtype=torch.bfloat16)
    save_file(tensors, path, {"written by": "safetensors for Python", "Umlaut": "ä"})


def check(path):
    with safe_open(path, framework="numpy") as file:
        print("metadata", file.metadata())
    for name, array in sorted(load_file(path).items()):
        print(name, array.dtype, array.shape, array.reshape(-1)[:4])


{"write": write, "check": check}[sys.argv[1]](sys.argv[2])
