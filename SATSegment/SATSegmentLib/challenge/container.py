"""The files of the CVPR 2025 challenge "Foundation Models for Text-Guided 3D Biomedical Image Segmentation".

One `.npz` in: `imgs` (D, H, W) with intensities of 0 to 255, `spacing` (3) in millimetres, and `text_prompts`, a
dictionary from label values to phrases, with an entry `instance_label` beside them. One `.npz` out: `segs` (D, H, W).
"""

from __future__ import annotations

import pickle
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np

from SATSegmentLib.challenge.grid import ct_shape
from SATSegmentLib.errors import GeometryError, SATSegmentWarning, ScanError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.grid.sizes import check_spacing, implausible_sizes
from SATSegmentLib.types import CHALLENGE_MODALITIES, Modality

# What a case's file name begins with, for each modality.
_PREFIXES: dict[str, Modality] = {
    "CT": "ct",
    "MR": "mri",
    "US": "us",
    "PET": "pet",
    "Microscopy": "microscopy",
}
_NO_PHRASE = "instance_label"
_HIGHEST_LABEL = 65535
# What NumPy and zipfile raise for bytes that are not as they were written.
_DAMAGED = (
    OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, BadZipFile, NotImplementedError, zlib.error,
)  # fmt: skip
_CORRECT_SPACING = "Correct the spacing in the file: millimetres, a number for each axis."
_REMEDY = "Use a case of the challenge: an .npz with imgs, spacing and text_prompts."


@dataclass(frozen=True, eq=False)
class Case:
    """One case.

    Parameters
    ----------
    images : np.ndarray
        (D, H, W), 0 to 255.
    spacing : tuple of float
        Millimetres, in the file's order.
    phrases : dict of int to str
        What to look for, by the value it gets in the result.
    modality : Modality
        One of the five.
    """

    images: np.ndarray
    spacing: tuple[float, float, float]
    phrases: dict[int, str]
    modality: Modality


def cases_in(path: Path) -> list[Path]:
    """The cases that a path names: the file itself, or all `.npz` of a folder, as in the challenge's container."""
    return sorted(path.glob("*.npz")) if path.is_dir() else [path] if path.suffix.lower() == ".npz" else []


def read_case(path: Path, modality: Modality | None = None) -> Case:
    """Read a case.

    Parameters
    ----------
    path : Path
        An `.npz`.
    modality : str, optional
        Without it, the file's name tells: CT…, MR…, US…, PET…, Microscopy….

    Raises
    ------
    ScanError
        No such file, not a case, intensities outside of 0 to 255, or no modality in its name.
    GeometryError
        A spacing that cannot be.

    Warns
    -----
    SATSegmentWarning
        A spacing that is implausible, or single objects are wanted (`instance_label`).
    """
    content = _load(path)
    images, phrases = _images(content, path.name), _phrases(content, path.name)
    modality = modality or _modality_of(path.name)
    spacing = _spacing(content, path.name)
    if modality == "ct":  # Only CT is respaced.
        depth, height, width = images.shape
        try:
            ct_shape((height, width, depth), spacing)
        except GeometryError as error:
            raise GeometryError(f"{path.name}: {error.message}", _CORRECT_SPACING) from error
    return Case(images, spacing, phrases, modality)


def write_segmentation(labels: np.ndarray, path: Path, overwrite: bool = False) -> None:
    """Write labels (D, H, W) as the challenge expects them; the file appears whole or not at all.

    Raises
    ------
    OutputError
        It exists already, or cannot be written.
    """
    with atomic_path(path, overwrite=overwrite) as target, target.open("wb") as file:
        np.savez_compressed(file, segs=labels)


def _load(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise ScanError(f"There is no file {path.name}.", "Check the path.")
    try:
        with np.load(path, allow_pickle=False) as file:
            # Not what else there may be: answers, and boxes or clicks, which are pickled.
            found = {key: file[key] for key in ("imgs", "spacing") if key in file.files}
            return found | {"text_prompts": _prompts(path)} if "text_prompts" in file.files else found
    except _DAMAGED as error:
        raise ScanError(f"{path.name} is damaged, or no .npz file.", _REMEDY) from error


class _PlainUnpickler(pickle.Unpickler):
    """Reads a pickled array of a dictionary of text and numbers, and nothing that could run code."""

    _ALLOWED = frozenset(
        (module, name)
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name in ("_reconstruct", "scalar")
    ) | {("numpy", "ndarray"), ("numpy", "dtype")}

    def find_class(self, module: str, name: str) -> Any:
        """The few names that NumPy's own arrays need."""
        if (module, name) not in self._ALLOWED:
            raise ValueError(f"{module}.{name}")
        return super().find_class(module, name)


def _prompts(path: Path) -> np.ndarray:
    """`text_prompts`, which NumPy stores as a pickle inside the archive."""
    with ZipFile(path) as archive, archive.open("text_prompts.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, dtype = read(file)
        if not dtype.hasobject:
            raise ValueError("text_prompts holds no dictionary")
        try:
            return np.asarray(_PlainUnpickler(file).load(), object)
        except pickle.UnpicklingError as error:
            raise ValueError("text_prompts is damaged") from error


def _images(content: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    images = content.get("imgs")
    if images is None:
        raise ScanError(f"{name} has no imgs.", _REMEDY)
    if images.ndim != 3 or 0 in images.shape:
        raise ScanError(f"The imgs of {name} are {images.shape}; a case has three axes, (D, H, W).", _REMEDY)
    if images.dtype.kind not in "uif":
        raise ScanError(f"The imgs of {name} are of the type {images.dtype}; a case holds numbers.", _REMEDY)
    if not np.isfinite(images).all() or images.min() < 0 or images.max() > 255:
        raise ScanError(
            f"The intensities of {name} are not all from 0 to 255.",
            "Cases hold 8-bit images. A scan in its own units is given as NIfTI or DICOM, with a rule (--intensities).",
        )
    if images.min() == images.max():
        raise ScanError(f"Every voxel of {name} has the same value.", "Check that the right image was chosen.")
    return images


def _spacing(content: Mapping[str, np.ndarray], name: str) -> tuple[float, float, float]:
    stored = content.get("spacing")
    if stored is None or stored.dtype.kind not in "uif" or stored.size != 3:
        raise GeometryError(f"{name} has no spacing of three numbers.", _REMEDY)
    x, y, z = (float(side) for side in stored.ravel())
    check_spacing((x, y, z), name, _CORRECT_SPACING)
    if doubt := implausible_sizes((x, y, z)):
        warnings.warn(f"{name}: {doubt}", SATSegmentWarning, stacklevel=3)
    return x, y, z


def _phrases(content: Mapping[str, np.ndarray], name: str) -> dict[int, str]:
    stored = content.get("text_prompts")
    prompts = stored.item() if stored is not None and stored.size == 1 else None
    if not isinstance(prompts, dict) or not set(prompts) - {_NO_PHRASE}:
        raise ScanError(f"{name} has no text_prompts, a dictionary from label values to phrases.", _REMEDY)
    phrases: dict[int, str] = {}
    for key, text in prompts.items():
        if key == _NO_PHRASE:
            _warn_of_instances(text, name)
            continue
        label = _label_value(key)
        if label is None or not 1 <= label <= _HIGHEST_LABEL:
            raise ScanError(
                f"In the text_prompts of {name}, {key!r} is no label value, 1 to {_HIGHEST_LABEL}.", _REMEDY
            )
        if not isinstance(text, str) or not any(letter.isalnum() for letter in text):
            raise ScanError(f"In the text_prompts of {name}, the phrase of label {label} is no text.", _REMEDY)
        if label in phrases:
            raise ScanError(f"The text_prompts of {name} have two phrases for label {label}.", _REMEDY)
        phrases[label] = str(text)
    return phrases


def _warn_of_instances(wanted: object, name: str) -> None:
    """What `instance_label` says: 0 for one mask per phrase, 1 for each object by itself."""
    if not isinstance(wanted, int | float | np.number | np.bool_) or wanted not in (0, 1):
        raise ScanError(f"In the text_prompts of {name}, instance_label is {wanted!r}, neither 0 nor 1.", _REMEDY)
    if wanted == 1:
        warnings.warn(
            f"{name} asks for single objects (instance_label 1). SAT gives one mask per phrase: count or part them "
            "afterwards, for example by connected components.",
            SATSegmentWarning,
            stacklevel=4,
        )


def _label_value(key: object) -> int | None:
    """The label value that a key stands for: a whole number, or its digits."""
    if isinstance(key, str) and key.isascii() and key.isdigit():
        return int(key)
    return int(key) if isinstance(key, int | np.integer) and not isinstance(key, bool) else None


def _modality_of(name: str) -> Modality:
    for prefix, modality in _PREFIXES.items():
        if name.startswith(prefix):
            return modality
    raise ScanError(
        f"The name of {name} does not tell its modality: cases begin with {', '.join(_PREFIXES)}.",
        f"Give --modality, one of {', '.join(CHALLENGE_MODALITIES)}.",
    )
