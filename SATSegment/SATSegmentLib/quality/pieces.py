"""Flags of pieces that lie far apart where a structure is one piece."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk  # noqa: N813 - as its own documentation does

from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.quality.knowledge import is_finding, most_pieces
from SATSegmentLib.types import Flag, FlagKind, SegmentResult

# Pieces smaller than this share of the structure, or than a few voxels, are crumbs.
_LEAST_SHARE, _LEAST_VOXELS = 0.02, 4
# A second side is a second side only if it is not a crumb of the first.
_SECOND_SIDE_SHARE = 0.2
# How far a piece of a structure in one piece may lie from the rest, and of one in many pieces from any other.
_FAR_MM, _FAR_IN_MANY_MM = 10.0, 40.0
# The distance is measured on a coarser grid where the box has more voxels than this.
_MOST_VOXELS = 2_000_000
# Voxels that stand for all others where only a wide gap counts.
_SAMPLED = 1200


def far_pieces(result: SegmentResult, grid: Grid) -> Flag | None:
    """The flag of a result whose pieces lie far apart; None where none does."""
    statistics = result.statistics
    if statistics is None or statistics.pieces < 2 or is_finding(result.prompt) or not result.prompt.trained:
        return None
    allowed = most_pieces(result.prompt.text)
    # Lymph nodes and the like may lie anywhere.
    if allowed is None and result.prompt.text in _ANYWHERE:
        return None
    labels, spacing = _labelled(result.mask, grid.spacing_kji)
    sizes = np.bincount(labels.ravel())
    order = [int(label) for label in np.argsort(-sizes[1:], kind="stable") + 1 if sizes[label]]
    least = max(_LEAST_SHARE * sizes[1:].sum(), _LEAST_VOXELS if labels.size == result.cropped.box.voxels else 1)
    pieces = [label for label in order if sizes[label] >= least]
    if len(pieces) < 2:
        return None
    if allowed is None:
        gap, label = _loneliest(labels, pieces, spacing)
        limit = _FAR_IN_MANY_MM
    else:
        second = allowed > 1 and sizes[pieces[1]] >= _SECOND_SIDE_SHARE * sizes[pieces[0]]
        main = pieces[: 2 if second else 1]
        gap, label = _farthest(labels, main, pieces[len(main) :], spacing)
        limit = _FAR_MM
    if gap <= limit:
        return None
    share = sizes[label] / sizes[1:].sum()
    return Flag(
        FlagKind.PIECES,
        f"Pieces of {result.prompt.text} lie far apart.",
        f"a piece of {share * result.volume_ml:.2f} mL ({share:.0%} of it) lies {gap:.0f} mm from the rest",
    )


# A piece of these on its own says nothing.
_ANYWHERE = frozenset(
    ("lymph node", "nasopharyngeal lymph node", "fat", "muscle", "bone", "skin", "colon", "small bowel", "intestine")
)


def _labelled(mask: np.ndarray, spacing_kji: tuple[float, float, float]) -> tuple[np.ndarray, tuple[float, ...]]:
    """Connected pieces by number, perhaps on a coarser grid, and that grid's spacing (KJI)."""
    step = 1
    while mask.size // step**3 > _MOST_VOXELS:
        step += 1
    coarse = np.ascontiguousarray(mask[::step, ::step, ::step]).view(np.uint8)
    pieces = sitk.ConnectedComponent(sitk.GetImageFromArray(coarse), True)
    return sitk.GetArrayFromImage(pieces), tuple(edge * step for edge in spacing_kji)


def _farthest(labels: np.ndarray, main: list[int], others: list[int], spacing: tuple[float, ...]) -> tuple[float, int]:
    """The piece farthest from the main ones, and its distance in millimetres."""
    if not others:
        return 0.0, 0
    distance = _distance_to(np.isin(labels, main), spacing)
    return max((float(distance[labels == label].min()), label) for label in others)


def _loneliest(labels: np.ndarray, pieces: list[int], spacing: tuple[float, ...]) -> tuple[float, int]:
    """The piece that is farthest from all others, and that distance, from a sample of their voxels."""
    lonely = (0.0, 0)
    for label in pieces:
        rest = _sample((labels > 0) & (labels != label), spacing, _SAMPLED)
        own = _sample(labels == label, spacing, _SAMPLED // 4)
        nearest = min(float(np.linalg.norm(rest - point, axis=1).min()) for point in own)
        lonely = max(lonely, (nearest, label))
    return lonely


def _sample(mask: np.ndarray, spacing: tuple[float, ...], count: int) -> np.ndarray:
    places = np.flatnonzero(mask)
    chosen = places[:: max(len(places) // count, 1)]
    return np.stack(np.unravel_index(chosen, mask.shape), axis=1) * np.array(spacing)


def _distance_to(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    picture = sitk.GetImageFromArray(mask.astype(np.uint8))
    picture.SetSpacing(spacing[::-1])
    return sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(picture, False, False, True))
