"""Inputs from a formula, shared with test/nn/golden-support.ts: only outputs need to be stored."""

import numpy as np

MASK = 0xFFFFFFFF


def values(name, shape, scale):
    """Multiples of 2^-24 in [-0.5, 0.5) times a power of two: exact in f32. The stream is named by a text."""
    salt = 2166136261
    for byte in name.encode():
        salt = ((salt ^ byte) * 16777619) & MASK
    out = np.empty(int(np.prod(shape)))
    for i in range(out.size):
        h = (salt + i * 2654435761) & MASK
        h ^= h >> 16
        h = (h * 2246822519) & MASK
        h ^= h >> 13
        h = (h * 3266489917) & MASK
        h ^= h >> 16
        out[i] = ((h >> 8) / 2**24 - 0.5) * scale
    return out.reshape(shape)


def rounded(tensor):
    """Numbers with 12 digits: far below every tolerance, and small files."""
    return [float(f"{v:.12g}") for v in tensor.detach().double().reshape(-1).tolist()]
