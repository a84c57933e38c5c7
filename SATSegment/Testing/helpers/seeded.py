"""Checkpoints made of nothing but their own keys, as the golden numbers were computed with."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch

from SATSegmentLib.sat.backbones.swinunetr.windows import relative_position_index

GOLDEN = Path(__file__).parent.parent / "Data" / "golden"


def manifest(name: str) -> dict:
    """A golden manifest: key -> shape under "keys", and what else it says."""
    return json.loads(_manifests()[name])


@cache
def _manifests() -> dict[str, str]:
    with gzip.open(GOLDEN / "manifests.json.gz", "rt", encoding="utf-8") as file:
        return {name: json.dumps(one) for name, one in json.load(file).items()}


# Of a tensor that is kept: those of the tests' small networks, which dozens of tests write to a file.
_KEPT_NUMBERS = 1 << 16


def _normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype(np.float32)


_kept_normal = lru_cache(maxsize=2000)(_normal)


def seeded_tensor(key: str, shape: list[int]) -> torch.Tensor:
    """The tensor that `key` (with its `module.` prefix) stands for; duplicates come out equal."""
    if key.endswith("relative_position_index"):
        return relative_position_index().clone()
    seed = key.replace("all_modules.0.", "conv.").replace("all_modules.1.", "norm.")
    seed = seed.replace("backbone.decoder.encoder.", "backbone.encoder.")
    make = _normal if math.prod(shape) > _KEPT_NUMBERS else _kept_normal
    x = make(zlib.crc32(seed.encode()), tuple(shape)).copy()
    if key.endswith("mamba.A_log"):
        x = np.log(np.arange(1, shape[-1] + 1, dtype=np.float32)) + 0.1 * x
    elif key.endswith("mamba.D"):
        x = 1 + 0.1 * x
    elif key.endswith("mamba.dt_proj.bias"):
        x = x - 3
    elif key.endswith("mamba.x_proj.weight"):
        x *= 0.25 * math.sqrt(2 / math.prod(shape[1:]))
    elif len(shape) > 1:
        x *= math.sqrt(2 / math.prod(shape[1:]))
    else:
        x = 1 + 0.1 * x if key.endswith("weight") else 0.1 * x
    return torch.from_numpy(np.asarray(x, np.float32))


def seeded_state(keys: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """All tensors of a manifest."""
    return {key: seeded_tensor(key, shape) for key, shape in keys.items()}


def write_released(path: Path, keys: dict[str, list[int]]) -> Path:
    """A file in the layout of a released checkpoint, with step and optimizer state."""
    state = seeded_state(keys)
    first = next(iter(state.values()))
    optimizer = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros_like(first)}}, "param_groups": []}
    torch.save({"step": np.int64(200000), "model_state_dict": state, "optimizer_state_dict": optimizer}, path)
    return path
