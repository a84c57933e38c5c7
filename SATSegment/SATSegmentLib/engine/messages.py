"""The words that Slicer's side and the worker exchange: one JSON object per line, arrays as .npy files beside it.

To the worker      segment {run, folder, ijk_to_ras, prompts, model, device, precision, threshold,
                   cache_bytes}, teach {run, folder, examples, name, modality, orientation, words, model, device,
                   precision, cache_bytes}, cancel {run}, a task of `worker.tasks` {run, folder, its own fields}
From the worker    progress {run, fraction, stage, seconds_left}, warning {run, text},
                   done {run, results, model} or, after teaching or a task, {run, answer}; failed {run, error}
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from SATSegmentLib import errors
from SATSegmentLib.types import Image, PackedMask, Progress, Prompt, SegmentResult

IMAGE_FILE = "image.npy"


class WorkerError(errors.SATSegmentError):
    """The worker process could not be started, ended on its own, or met an error nobody foresaw."""


@dataclasses.dataclass(frozen=True)
class ModelRecord:
    """Which model answered: its name, the SHA-256 of the checkpoint it was converted from, PyTorch's version."""

    name: str
    sha256: str
    torch: str


def encode(message: dict[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message, default=_plain).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message of one line.

    Raises
    ------
    WorkerError: it is none.
    """
    try:
        message = json.loads(line)
    except ValueError:
        message = None
    if not isinstance(message, dict) or "type" not in message:
        raise WorkerError("The segmentation process sent something that is no message.", "Run it again.")
    return message


def write_request(
    folder: Path, run: int, image: Image, prompts: list[Prompt], options: dict[str, Any]
) -> dict[str, Any]:
    """Put the scan into `folder`; returns the message that asks for its segmentation.

    Parameters
    ----------
    options: model, device, precision, threshold, cache_bytes.
    """
    np.save(folder / IMAGE_FILE, image.array, allow_pickle=False)
    return {
        "type": "segment",
        "run": run,
        "folder": str(folder),
        "ijk_to_ras": np.asarray(image.ijk_to_ras, dtype=float).tolist(),
        "prompts": [dataclasses.asdict(prompt) for prompt in prompts],
        **options,
    }


def read_request(message: dict[str, Any]) -> tuple[Image, list[Prompt]]:
    """Scan (memory-mapped) and prompts of a `segment` message."""
    array = np.load(Path(message["folder"]) / IMAGE_FILE, mmap_mode="r", allow_pickle=False)
    prompts = [Prompt(**prompt) for prompt in message["prompts"]]
    return Image(array, np.array(message["ijk_to_ras"], dtype=float)), prompts


def write_lesson(
    folder: Path, run: int, examples: Sequence[tuple[Image, np.ndarray]], options: dict[str, Any]
) -> dict[str, Any]:
    """Put scans and masks into `folder`; returns the message that asks to learn a word from them.

    Parameters
    ----------
    examples: scans, and the mask (bool, KJI) of the structure in each.
    options: name, modality, orientation, words (the folder for the word's file), model, device, precision, cache_bytes.
    """
    for number, (image, mask) in enumerate(examples):
        np.save(folder / f"image_{number}.npy", image.array, allow_pickle=False)
        np.save(folder / _mask_file(number), mask, allow_pickle=False)
    affines = [np.asarray(image.ijk_to_ras, dtype=float).tolist() for image, _ in examples]
    return {"type": "teach", "run": run, "folder": str(folder), "examples": affines, **options}


def read_lesson(message: dict[str, Any]) -> list[tuple[Image, np.ndarray]]:
    """Scans and masks (memory-mapped) of a `teach` message."""
    folder = Path(message["folder"])
    examples = []
    for number, affine in enumerate(message["examples"]):
        array = np.load(folder / f"image_{number}.npy", mmap_mode="r", allow_pickle=False)
        mask = np.load(folder / _mask_file(number), mmap_mode="r", allow_pickle=False)
        examples.append((Image(array, np.array(affine, dtype=float)), mask))
    return examples


def write_results(folder: Path, results: list[SegmentResult]) -> list[dict[str, Any]]:
    """Put the masks into `folder`; returns all else that the results say."""
    written = []
    for number, result in enumerate(results):
        np.save(folder / _mask_file(number), result.packed.bits, allow_pickle=False)
        fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
        written.append({**fields, "packed": result.packed.shape, "prompt": dataclasses.asdict(result.prompt)})
    return written


def read_results(folder: Path, written: list[dict[str, Any]]) -> list[SegmentResult]:
    """The results of a `done` message. The masks are in memory: the folder may go."""
    results = []
    for number, fields in enumerate(written):
        k, j, i = fields["offset_kji"]
        bits, (depth, height, width) = np.load(folder / _mask_file(number), allow_pickle=False), fields["packed"]
        results.append(
            SegmentResult(
                **{
                    **fields,
                    "prompt": Prompt(**fields["prompt"]),
                    "packed": PackedMask(bits, (depth, height, width)),
                    "offset_kji": (k, j, i),
                    "cut_by": tuple(fields["cut_by"]),
                }
            )
        )
    return results


def progress_from(message: dict[str, Any]) -> Progress:
    """The `Progress` of a progress message."""
    return Progress(message["fraction"], message["stage"], message["seconds_left"])


def error_from(data: dict[str, str]) -> errors.SATSegmentError:
    """The error that `SATSegmentError.as_dict` described, of the same type."""
    kind = _kinds(errors.SATSegmentError).get(data["kind"], WorkerError)
    if kind is errors.Cancelled:
        return errors.Cancelled()
    return kind(data["message"], data["remedy"])


def _kinds(base: type[errors.SATSegmentError]) -> dict[str, type[errors.SATSegmentError]]:
    """All kinds of errors that this process knows, by name."""
    found = {base.__name__: base}
    for kind in base.__subclasses__():
        found.update(_kinds(kind))
    return found


def _mask_file(number: int) -> str:
    return f"mask_{number}.npy"


def _plain(value: Any) -> Any:
    """NumPy's numbers as JSON's."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be sent")
