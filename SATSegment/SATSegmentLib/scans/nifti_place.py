"""Where a NIfTI file's voxels are: which of its transforms is taken, and what is said where they disagree.

The sform is taken where its code is above zero, otherwise the qform, otherwise the voxel sizes alone. This is what
nibabel, FSL and SPM do; ITK takes the qform in more cases. A mask that nibabel saved beside its image always has the
sform's place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from SATSegmentLib.errors import GeometryError
from SATSegmentLib.types import Doubt, DoubtKind

# Two transforms are the same while no voxel is further apart than this: headers keep seven digits.
_SAME_MM, _SAME_VOXELS = 0.05, 0.1
_SAME_SIZE = 0.01
_QUATERNION_ROUNDING = 4e-7


@dataclass(frozen=True, eq=False)
class Place:
    """What a header says about where its voxels are.

    Attributes
    ----------
    qform_code, sform_code : int
        Which transforms there are (above zero).
    pixdim : np.ndarray
        Eight numbers; the first is the sign of the third axis, the next three the voxel edges.
    quaternion, offset : np.ndarray
        Of the qform.
    srow : np.ndarray
        3x4, the sform.
    millimetres : float
        In one of the file's units of length.
    size : tuple[int, int, int]
        Voxels along I, J, K.
    """

    qform_code: int
    sform_code: int
    pixdim: np.ndarray
    quaternion: np.ndarray
    offset: np.ndarray
    srow: np.ndarray
    millimetres: float
    size: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Placed:
    """The transform that is taken, in millimetres, and the doubts about it."""

    ijk_to_ras: np.ndarray
    doubts: tuple[Doubt, ...]


def place(path: Path, header: Place) -> Placed:
    """Choose the transform.

    Raises
    ------
    GeometryError
        A transform is not one, or the two mirror each other: then nobody can tell left from right.
    """
    scale = np.diag([header.millimetres] * 3 + [1.0])
    with np.errstate(invalid="ignore"):  # what is no number is refused by `_checked`
        sform = _checked(path, "sform", scale @ _sform(header)) if header.sform_code > 0 else None
        qform = _checked(path, "qform", scale @ _qform(header)) if header.qform_code > 0 else None
    if sform is not None and qform is not None:
        return Placed(sform, _conflict(path, sform, qform, header.size))
    if sform is not None:
        return Placed(sform, _size_conflict(path, sform, header.pixdim[1:4] * header.millimetres))
    if qform is not None:
        return Placed(qform, ())
    text = (
        "The file does not say how its axes lie in the patient: left and right are a guess. "
        "Do not rely on sides; if you can, export the scan again with its orientation."
    )
    sizes = np.diag([*(header.pixdim[1:4] * header.millimetres), 1.0])
    return Placed(sizes, (Doubt(DoubtKind.SIDES, text),))


def _sform(header: Place) -> np.ndarray:
    affine = np.eye(4)
    affine[:3] = header.srow
    return affine


def _qform(header: Place) -> np.ndarray:
    b, c, d = header.quaternion
    length = b * b + c * c + d * d
    if length > 1 - _QUATERNION_ROUNDING:
        # The first component is what is left to one; of single precision nothing is left but its rounding.
        a, (b, c, d) = 0.0, np.array([b, c, d]) / np.sqrt(length)
    else:
        a = np.sqrt(1 - length)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ]
    )
    affine = np.eye(4)
    affine[:3, :3] = rotation * header.pixdim[1:4] * [1, 1, -1 if header.pixdim[0] < 0 else 1]
    affine[:3, 3] = header.offset
    return affine


def _checked(path: Path, name: str, affine: np.ndarray) -> np.ndarray:
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
        raise GeometryError(
            f"The {name} of {path} is damaged: it does not give every axis a direction and a length.",
            "Export the scan again.",
        )
    return affine


def _conflict(path: Path, sform: np.ndarray, qform: np.ndarray, size: tuple[int, int, int]) -> tuple[Doubt, ...]:
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float).T
    corners[:3] *= np.array(size)[:, None] - 1
    apart = float(np.linalg.norm(((sform - qform) @ corners)[:3], axis=0).max())
    edges = np.linalg.norm(qform[:3, :3], axis=0)
    if np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
        raise GeometryError(
            f"The two transforms of {path} (sform and qform) mirror each other: left and right contradict.",
            "Export the scan again, or correct the wrong one (nibabel: image.set_qform(image.get_sform())).",
        )
    if apart <= max(_SAME_MM, _SAME_VOXELS * float(edges.min())):
        return ()
    what = _difference(sform, qform)
    return (
        Doubt(
            DoubtKind.GRID,
            f"The two transforms of the file disagree: the qform is {what} against the sform. The sform was taken.",
        ),
    )


def _difference(sform: np.ndarray, qform: np.ndarray) -> str:
    s_edges, q_edges = (np.linalg.norm(one[:3, :3], axis=0) for one in (sform, qform))
    turn = (sform[:3, :3] / s_edges).T @ (qform[:3, :3] / q_edges)
    degrees = float(np.rad2deg(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
    shift = float(np.linalg.norm(sform[:3, 3] - qform[:3, 3]))
    words = []
    if degrees > 0.05:
        words.append(f"turned by {degrees:.1f} degrees")
    if shift > _SAME_MM:
        words.append(f"shifted by {shift:.1f} mm")
    if np.abs(s_edges / q_edges - 1).max() > _SAME_SIZE:
        words.append(f"of voxels of {_sizes(q_edges)} instead of {_sizes(s_edges)}")
    return ", ".join(words) or "slightly different"


def _size_conflict(path: Path, sform: np.ndarray, pixdim: np.ndarray) -> tuple[Doubt, ...]:
    edges = np.linalg.norm(sform[:3, :3], axis=0)
    if np.abs(edges / pixdim - 1).max() <= _SAME_SIZE:
        return ()
    text = f"The file gives its voxels {_sizes(pixdim)}, and {_sizes(edges)} in its sform. The sform was taken."
    return (Doubt(DoubtKind.GRID, text),)


def _sizes(edges: np.ndarray) -> str:
    return " x ".join(f"{edge:.4g}" for edge in edges) + " mm"
