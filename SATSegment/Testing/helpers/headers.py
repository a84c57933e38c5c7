"""Headers of all kinds, by number: straight, oblique, rounded to single precision, with tilted slices."""

from __future__ import annotations

import numpy as np

CASES = 120
_SPACINGS = (0.5, 0.7, 0.9765625, 0.9995, 1.0, 1.3, 1.5, 2.5, 3.0, 5.0)


def header(number: int) -> tuple[np.ndarray, np.ndarray, str]:
    """A small scan (float32, IJK), its affine, and the orientation it is wanted in."""
    rng = np.random.default_rng([13, number])
    kind = ("straight", "oblique", "oblique", "double precision", "tilted")[number % 5]
    shape = rng.integers(5, 30, 3)
    axes = np.eye(3)[:, rng.permutation(3)] * rng.choice([-1, 1], 3)
    if kind in ("oblique", "double precision"):
        axes = _rotation(rng.normal(0, 0.3, 3)) @ axes
    affine = np.eye(4)
    affine[:3, :3] = axes * rng.choice(_SPACINGS, 3)
    affine[:3, 3] = rng.normal(0, 50, 3)
    if kind in ("straight", "oblique"):
        affine = affine.astype(np.float32).astype(float)
    if kind == "tilted":
        affine[:3, 2] += rng.uniform(-0.4, 0.4) * affine[:3, 1]
    array = rng.normal(40, 30, shape).astype(np.float32)
    array[rng.random(shape) < 0.3] = 0
    # Nothing above zero near some borders: what is foreground there hangs on weights of 1e-15 and 1e-8.
    edge = int(rng.integers(0, 3))
    if edge:
        array[:edge], array[:, :, -edge:], array[:, :edge] = 0, 0, -5
    return array, affine, str(rng.choice(["RAS", "ASR", "IPL", "LPS"]))


def _rotation(vector: np.ndarray) -> np.ndarray:
    """By the length of a vector, about it (Rodrigues)."""
    angle = np.linalg.norm(vector)
    x, y, z = vector / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
