"""A preprocessed case on disk: an image that is mapped rather than read, and masks packed to bits.

Three files, each whole or not at all; the index is written last and says that the case is complete.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SATSegmentLib.files import atomic_path
from SATSegmentLib.grid.box import Box
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.learning.data.errors import CacheError
from SATSegmentLib.learning.data.preprocess import PreprocessedCase
from SATSegmentLib.types import Orientation

# Changes with what preprocessing does or how it is stored, so that older files are made again.
FORMAT = 1


@dataclass(frozen=True)
class StoredLabel:
    """Where a label's mask is in the file.

    Attributes
    ----------
    label : str
        Its name.
    box : Box | None
        Where the mask is in the case; None where it is empty.
    offset : int
        First byte in the packed masks.
    """

    label: str
    box: Box | None
    offset: int


@dataclass(frozen=True)
class StoredCase:
    """A case that lies on disk. Small, and safe to send to another process.

    Attributes
    ----------
    path : Path
        Of its files, without their endings.
    shape : tuple[int, int, int]
        Voxels along the axes of `orientation`.
    orientation : Orientation
        Axis order.
    spacing : tuple[float, float, float]
        Millimetres along these axes.
    labels : tuple[StoredLabel, ...]
        What was annotated, empty ones included.
    lost : tuple[str, ...]
        See `PreprocessedCase.lost`.
    """

    path: Path
    shape: tuple[int, int, int]
    orientation: Orientation
    spacing: tuple[float, float, float]
    labels: tuple[StoredLabel, ...]
    lost: tuple[str, ...]

    @property
    def present(self) -> tuple[StoredLabel, ...]:
        """Labels with at least one voxel."""
        return tuple(label for label in self.labels if label.box)

    def image(self, box: Box) -> np.ndarray:
        """float32 voxels of a box.

        Raises
        ------
        CacheError
            The file is gone or damaged; so do the other methods.
        """
        image = _map(_image_path(self.path))
        if image.shape != self.shape:
            raise _damaged(_image_path(self.path))
        return np.array(image[box])

    def mask(self, label: StoredLabel) -> CroppedMask:
        """The mask of a label; its bits are mapped from the file."""
        if label.box is None:
            return CroppedMask(np.zeros(0, np.uint8))
        bits = _map(_masks_path(self.path))[label.offset : label.offset + _bytes(label)]
        if len(bits) < _bytes(label):
            raise _damaged(_masks_path(self.path))
        return CroppedMask(bits, label.box.offset, label.box.shape)

    def mask_in(self, label: StoredLabel, box: Box) -> np.ndarray:
        """Bool voxels of a box of the case."""
        return self.mask(label).within(box)


def write_case(case: PreprocessedCase, path: Path) -> StoredCase:
    """Store a case; `path` is without ending, in a folder that exists.

    Raises
    ------
    OutputError
        The disk is full or cannot be written to.
    """
    labels, packed, offset = [], [], 0
    for label, mask in case.masks.items():
        labels.append(StoredLabel(label, mask.box if mask else None, offset))
        packed.append(mask.bits)
        offset += len(mask.bits)
    x, y, z = case.image.shape
    stored = StoredCase(path, (x, y, z), case.orientation, case.spacing, tuple(labels), case.lost)
    bits = np.concatenate(packed) if packed else np.zeros(0, np.uint8)
    for target, array in ((_image_path(path), case.image.astype(np.float32)), (_masks_path(path), bits)):
        with atomic_path(target, overwrite=True) as temporary, temporary.open("wb") as stream:
            np.save(stream, array, allow_pickle=False)
    content = {
        "format": FORMAT,
        "shape": stored.shape,
        "orientation": stored.orientation,
        "spacing": stored.spacing,
        "labels": [[label.label, _sides(label.box), label.offset] for label in labels],
        "lost": stored.lost,
    }
    with atomic_path(_index_path(path), overwrite=True) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return stored


def find_case(path: Path) -> StoredCase | None:
    """The case stored at this path; None where there is none, or it is damaged."""
    try:
        content = json.loads(_index_path(path).read_text(encoding="utf-8"))
        labels = tuple(
            StoredLabel(label, Box(slice(low, high) for low, high in box) if box else None, offset)
            for label, box, offset in content["labels"]
        )
        x, y, z = content["shape"]
        a, b, c = content["spacing"]
        case = StoredCase(path, (x, y, z), content["orientation"], (a, b, c), labels, tuple(content["lost"]))
        image, bits = _map(_image_path(path)), _map(_masks_path(path))
    except (OSError, ValueError, KeyError, TypeError, CacheError):
        return None
    needed = max((label.offset + _bytes(label) for label in case.present), default=0)
    return case if content["format"] == FORMAT and image.shape == case.shape and len(bits) >= needed else None


def _map(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> CacheError:
    return CacheError(
        f"The file {path.name} of the training cache is gone or damaged.",
        "Prepare the training data again: what is missing is made anew.",
    )


def _bytes(label: StoredLabel) -> int:
    return (label.box.voxels + 7) // 8 if label.box else 0


def _sides(box: Box | None) -> list[tuple[int, int]] | None:
    return [(side.start, side.stop) for side in box] if box else None


def _image_path(path: Path) -> Path:
    return path.with_name(path.name + ".image.npy")


def _masks_path(path: Path) -> Path:
    return path.with_name(path.name + ".masks.npy")


def _index_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")
