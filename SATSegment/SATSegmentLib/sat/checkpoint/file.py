"""Opening a weight file safely: PyTorch's `.pth` and `.safetensors`.

A `.pth` is a pickle, and a pickle can run code. Only tensors and plain numbers are ever let in
(`weights_only=True`); a file that asks for more is refused before anything of it runs.
"""

from __future__ import annotations

import hashlib
import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from SATSegmentLib.errors import (
    CheckpointError,
    HostileCheckpoint,
    IncompleteCheckpoint,
    TruncatedCheckpoint,
    WrongCheckpointKind,
)
from SATSegmentLib.files import check_readable
from SATSegmentLib.sat.shapes import incomplete

_GET_AGAIN = "Download it again, and compare its size with the one on the download page."


def read_checkpoint_file(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a weight file, and the file's SHA-256.

    Released files carry their tensors under `model_state_dict`, each name prefixed with `module.`;
    the prefix is taken off, optimizer state and step are left out.

    Raises
    ------
    CheckpointError
        No such file, one that cannot be opened, or not a weight file at all.
    TruncatedCheckpoint
        The file ends too early or is damaged.
    HostileCheckpoint
        Opening the file would have run code.
    WrongCheckpointKind
        A weight file without a state dict of tensors.
    IncompleteCheckpoint
        Two tensors have one name.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder, not a weight file.", "Choose the .pth or .safetensors file in it.")
    if not path.is_file():
        raise CheckpointError(f"There is no weight file {path.name}.", "Check the path.")
    check_readable(CheckpointError, path)
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    state = _state_dict(content, path.name)
    return _bare_names(state, path.name), file_sha256(path)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_complete(found: Mapping[str, Tensor], needed: Mapping[str, Tensor], name: str, remedy: str) -> None:
    """Compare the tensors of a file with those a module needs.

    Raises
    ------
    IncompleteCheckpoint
        One is missing, unknown, of another shape, or holds values that are not finite.
    """
    problems = [f"{key} is missing" for key in needed if key not in found]
    problems += [f"{key} is unknown" for key in found if key not in needed]
    problems += [
        f"{key} has the shape {tuple(found[key].shape)} instead of {tuple(tensor.shape)}"
        for key, tensor in needed.items()
        if key in found and found[key].shape != tensor.shape
    ]
    problems += [f"{key} holds values that are not finite" for key, t in found.items() if not t.isfinite().all()]
    if problems:
        raise incomplete(name, problems, remedy)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise TruncatedCheckpoint(f"{path.name} is not a whole safetensors file.", _GET_AGAIN) from error


def _read_pickle(path: Path) -> Any:
    with path.open("rb") as file:
        start = file.read(4)
    if start != b"PK\x03\x04" and start[:1] != b"\x80":
        # Pickles start with 0x80, newer files are zip archives; anything else never was a checkpoint.
        if not start.strip(b"\0"):
            raise TruncatedCheckpoint(f"{path.name} is empty or was never filled.", _GET_AGAIN)
        raise CheckpointError(f"{path.name} is not a PyTorch weight file.", "Choose a .pth or .safetensors file.")
    try:
        with torch.serialization.safe_globals(_numpy_scalars()), warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # It doubts pickles of newer protocols; it reads or refuses them.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=start == b"PK\x03\x04")
    except pickle.UnpicklingError as error:
        raise _refusal(path.name, str(error)) from error
    except (RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError, struct.error) as error:
        raise TruncatedCheckpoint(f"{path.name} ends too early or is damaged.", _GET_AGAIN) from error


# What PyTorch's restricted reader says of a pickle that calls functions, or is of a kind PyTorch never writes.
_CALLS_CODE = re.compile("GLOBAL|Unsupported (operand|class)|REDUCE|Can only build|blocked", re.IGNORECASE)


def _refusal(name: str, reason: str) -> CheckpointError:
    if _CALLS_CODE.search(reason):
        return HostileCheckpoint(
            f"{name} could run code when it is opened, which a weight file has no need to. It was not opened.",
            "Do not use it. Get the weights from the authors' own page.",
        )
    return TruncatedCheckpoint(f"{name} ends too early or is damaged.", _GET_AGAIN)


def _numpy_scalars() -> list[Any]:
    """What released files hold beside tensors: NumPy numbers, as old and new NumPy name them."""
    scalar = np._core.multiarray.scalar  # type: ignore[attr-defined]
    kinds = [type(np.dtype(kind)) for kind in (np.float32, np.float64, np.int32, np.int64, np.bool_)]
    return [np.dtype, *kinds, (scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar")]


def _state_dict(content: Any, name: str) -> dict[str, Tensor]:
    state = content.get("model_state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise WrongCheckpointKind(
            f"{name} holds no network's tensors.",
            "Choose a SAT checkpoint: a dictionary with a model_state_dict, or a .safetensors file.",
        )
    return {str(key): value for key, value in state.items()}


def _bare_names(state: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors by their names without `module.`."""
    bare: dict[str, Tensor] = {}
    for key, tensor in state.items():
        short = key.removeprefix("module.")  # exactly once: data-parallel training put it there once
        if short in bare:
            raise IncompleteCheckpoint(
                f"{name} holds two tensors called {short}, with and without `module.`.",
                "Its model_state_dict must hold each tensor once. " + _GET_AGAIN,
            )
        bare[short] = tensor
    return bare
