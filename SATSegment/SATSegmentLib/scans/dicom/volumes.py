"""The volumes of a series: frames that belong together, and what tells them apart."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.sizes import check_spacing
from SATSegmentLib.scans.dicom.frames import Frame
from SATSegmentLib.scans.dicom.stack import (
    SAME_PLACE_MM,
    Stack,
    checked_orientation,
    fit_stack,
    normal_of,
    same_direction,
)
from SATSegmentLib.scans.dicom.traits import APART, ORDERED, STRONG, WEAK, told
from SATSegmentLib.types import Doubt, DoubtKind

_PLANES = ("sagittal", "coronal", "axial")
# Fewer do not make a volume.
_FEWEST_SLICES = 3


@dataclass(frozen=True, eq=False)
class Volume:
    """Frames of one volume, in no order yet.

    Attributes
    ----------
    frames : tuple[Frame, ...]
        Its slices.
    differs : tuple[str, ...]
        What tells it from the series' other volumes, in words; empty where it is the only one.
    """

    frames: tuple[Frame, ...]
    differs: tuple[str, ...] = ()

    @property
    def is_localizer(self) -> bool:
        """Whether it is a single slice that its file calls a localizer."""
        kind = str(self.frames[0].traits.get("image type", "")).upper()
        return len(self.frames) == 1 and ("LOCALIZER" in kind or "SCOUT" in kind)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Where several acquisitions were taken for one volume, though they may be two."""
        acquisitions = _partition(list(self.frames), ["acquisition"])
        if len(acquisitions) == 1 or not _lie_between([members for _, members in acquisitions]):
            return ()
        text = (
            f"The slices of {len(acquisitions)} acquisitions lie between each other's and were taken for one volume. "
            "Where they are several scans of one place (contrast phases, times), export each by itself."
        )
        return (Doubt(DoubtKind.FILES, text),)

    def stack(self) -> Stack:
        """The grid of the slices.

        Raises
        ------
        GeometryError
            See `fit_stack`; also where several slices lie at one place.
        """
        positions = _positions(self.frames)
        _refuse_same_place(self.frames, positions)
        names = [frame.name for frame in self.frames]
        decimals = max(frame.decimals for frame in self.frames)
        return fit_stack(positions, normal_of(_orientation(self.frames[0])), decimals, names)

    def ijk_to_lps(self, stack: Stack) -> np.ndarray:
        """4x4 affine of the grid; the third axis has the slices' own step, so a tilted stack is sheared."""
        across, down = np.mean([_orientation(frame) for frame in self.frames], axis=0).reshape(2, 3)
        rows_mm, columns_mm = self.frames[0].spacing or (1.0, 1.0)
        affine = np.eye(4)
        affine[:3, 0] = across / np.linalg.norm(across) * columns_mm
        affine[:3, 1] = down / np.linalg.norm(down) * rows_mm
        affine[:3, 2] = stack.step if np.any(stack.step) else normal_of(_orientation(self.frames[0]))
        affine[:3, 3] = stack.first
        return affine

    def __str__(self) -> str:
        rows, columns = self.frames[0].shape
        slices = "1 slice" if len(self.frames) == 1 else f"{len(self.frames)} slices"
        return ", ".join([*self.differs, f"{slices} of {columns} x {rows}"])


def split(frames: Sequence[Frame]) -> list[Volume]:
    """The volumes of a series, in a fixed order.

    Raises
    ------
    GeometryError
        A frame does not say where it lies.
    ScanError
        Frames at the same place that nothing tells apart.
    """
    _check_places(frames)
    volumes = []
    for grid_words, on_grid in _by_grid(frames):
        for strong_words, alike in _by_strong(on_grid):
            for weak_words, members in _by_place(alike):
                volumes.append(Volume(tuple(members), (*grid_words, *strong_words, *weak_words)))
    return volumes


def _check_places(frames: Sequence[Frame]) -> None:
    for frame in frames:
        if frame.position is None or frame.orientation is None:
            raise GeometryError(
                f"Some slices of the series do not say where they are: {frame.name} has no position or orientation.",
                "Choose a series of slices; this may be a localizer, or a picture of a scan.",
            )
        checked_orientation(frame.orientation, frame.name)
        if frame.spacing is None:
            raise GeometryError(f"{frame.name} has no pixel spacing, so its size is unknown.", "Export the scan again.")
        check_spacing(frame.spacing, frame.name, "Export the scan again.")


def _by_grid(frames: Sequence[Frame]) -> list[tuple[tuple[str, ...], list[Frame]]]:
    """Frames that can share a grid: same size, spacing, direction and frame of reference."""
    groups: list[list[Frame]] = []
    for frame in frames:
        for group in groups:
            if _share_grid(group[0], frame):
                group.append(frame)
                break
        else:
            groups.append([frame])
    if len(groups) == 1:
        return [((), groups[0])]
    aspects: list[tuple[Callable[[Frame], Hashable], Callable[[Frame], str]]] = [
        (lambda frame: tuple(np.round(_orientation(frame), 2)), _plane),
        (lambda frame: frame.shape, lambda frame: f"{frame.shape[1]} x {frame.shape[0]} pixels"),
        (lambda frame: frame.spacing, _pixel_words),
        (_reference, lambda frame: f"frame of reference {_reference(frame) or 'unknown'}"),
    ]
    varying = [words for key, words in aspects if len({key(group[0]) for group in groups}) > 1]
    told_apart = [tuple(words(group[0]) for words in varying) for group in groups]
    if len(set(told_apart)) < len(groups):  # two of one plane, turned against each other
        told_apart = [(_cosines(group[0]), *words) for words, group in zip(told_apart, groups, strict=True)]
    return list(zip(told_apart, groups, strict=True))


def _share_grid(one: Frame, other: Frame) -> bool:
    return (
        one.shape == other.shape
        and np.allclose(_spacing(one), _spacing(other), rtol=1e-3, atol=1e-5)
        and same_direction(_orientation(one), _orientation(other))
        and _reference(one) == _reference(other)
    )


def _by_strong(frames: list[Frame]) -> list[tuple[tuple[str, ...], list[Frame]]]:
    varying = [label for label in STRONG if len({frame.traits.get(label) for frame in frames}) > 1]
    parts = _partition(frames, varying)
    if len(parts) > 1 and all(len(part) == 1 for _, part in parts) and not _coincide(frames):
        return [((), frames)]  # a number that merely counts the slices
    return parts


def _by_place(frames: list[Frame]) -> list[tuple[tuple[str, ...], list[Frame]]]:
    """Frames at the same place told apart by what differs there, one trait after the other."""
    if not (meeting := _coincide(frames)):
        return _by_turns(frames)
    for label in WEAK:
        if any(len({frame.traits.get(label) for frame in group}) > 1 for group in meeting):
            found = []
            for words, part in _partition(frames, [label]):
                found += [((*words, *more), members) for more, members in _by_place(part)]
            if not all(len(members) == 1 for _, members in found):
                return found
    return _by_order(frames, meeting)


def _by_turns(frames: list[Frame]) -> list[tuple[tuple[str, ...], list[Frame]]]:
    """Volumes whose slices lie between each other's, as those of two contrast phases half a slice apart."""
    for label in APART:
        if len({frame.traits.get(label) for frame in frames}) > 1:
            parts = _partition(frames, [label])
            if _lie_between([members for _, members in parts]):
                return [((*words, *more), part) for words, members in parts for more, part in _by_place(members)]
    return [((), frames)]


def _lie_between(groups: Sequence[Sequence[Frame]]) -> bool:
    """Whether groups of slices share most of their extent, each a stack of its own."""
    if min(map(len, groups)) < _FEWEST_SLICES:
        return False
    normal = normal_of(_orientation(groups[0][0]))
    ends = np.array([np.sort(_positions(group) @ normal)[[0, -1]] for group in groups])
    shared = ends[:, 1].min() - ends[:, 0].max()
    return bool(shared > 0.5 * (ends[:, 1] - ends[:, 0]).max())


def _by_order(frames: list[Frame], meeting: list[list[Frame]]) -> list[tuple[tuple[str, ...], list[Frame]]]:
    count = len(meeting[0])
    if any(len(group) != count for group in meeting) or count * len(meeting) != len(frames):
        return [((), frames)]  # refused where it is chosen, with the names of those that meet
    for label in ORDERED:
        values = [[frame.traits.get(label) for frame in group] for group in meeting]
        if all(None not in group and len(set(group)) == count for group in values):
            ranked = [_sorted_by(label, group) for group in meeting]
            return [((f"pass {n + 1} by {label}",), [group[n] for group in ranked]) for n in range(count)]
    return _by_number(frames, meeting)


def _by_number(frames: list[Frame], meeting: list[list[Frame]]) -> list[tuple[tuple[str, ...], list[Frame]]]:
    """By the number of the image, where the volumes follow each other in it, or take turns."""
    count = len(meeting[0])
    ranked = [sorted(group, key=_number) for group in meeting]
    volumes = [[group[n] for group in ranked] for n in range(count)]
    places = {number: index for index, number in enumerate(sorted(_number(frame) for frame in frames))}
    if len(places) != len(frames):
        return [((), frames)]
    indices = [sorted(places[_number(frame)] for frame in volume) for volume in volumes]
    size = len(meeting)
    in_blocks = all(one == list(range(n * size, (n + 1) * size)) for n, one in enumerate(indices))
    in_turn = all(one == list(range(n, size * count, count)) for n, one in enumerate(indices))
    if not in_blocks and not in_turn:
        return [((), frames)]
    return [((f"pass {n + 1} by image number",), volume) for n, volume in enumerate(volumes)]


def _coincide(frames: Sequence[Frame]) -> list[list[Frame]]:
    """The frames by place, where any two lie at the same one; otherwise empty."""
    positions = _positions(frames)
    order = np.argsort(positions @ normal_of(_orientation(frames[0])), kind="stable")
    groups = [[frames[order[0]]]]
    for before, after in itertools.pairwise(order):
        if np.linalg.norm(positions[after] - positions[before]) < SAME_PLACE_MM:
            groups[-1].append(frames[after])
        else:
            groups.append([frames[after]])
    return groups if len(groups) < len(frames) else []


def _refuse_same_place(frames: Sequence[Frame], positions: np.ndarray) -> None:
    meeting = [group for group in _coincide(frames) if len(group) > 1]
    if not meeting:
        return
    place = positions[frames.index(meeting[0][0])]
    raise GeometryError(
        f"{sum(map(len, meeting))} slices lie at the same places, and nothing in their headers tells them apart: "
        f"{meeting[0][0].name} and {meeting[0][1].name} both lie at ({', '.join(f'{v:.1f}' for v in place)}) mm.",
        "Remove those that do not belong to the scan, or export its volumes one by one.",
    )


def _partition(frames: list[Frame], labels: list[str]) -> list[tuple[tuple[str, ...], list[Frame]]]:
    groups: dict[tuple[str | float | None, ...], list[Frame]] = defaultdict(list)
    for frame in frames:
        groups[tuple(frame.traits.get(label) for label in labels)].append(frame)
    ordered = sorted(groups.items(), key=lambda item: [_sortable(value) for value in item[0]])
    return [
        (tuple(_in_words(label, value) for label, value in zip(labels, values, strict=True)), members)
        for values, members in ordered
    ]


def _in_words(label: str, value: str | float | None) -> str:
    return f"no {label}" if value is None else told(label, value)


def _sorted_by(label: str, frames: list[Frame]) -> list[Frame]:
    return sorted(frames, key=lambda frame: _sortable(frame.traits.get(label)))


def _sortable(value: str | float | None) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    return (1, value, "") if isinstance(value, float) else (2, 0.0, str(value))


def _number(frame: Frame) -> tuple[int, int]:
    return int(frame.header.data.get("InstanceNumber") or 0), frame.number


def _positions(frames: Sequence[Frame]) -> np.ndarray:
    return np.array([frame.position for frame in frames])


def _orientation(frame: Frame) -> np.ndarray:
    if frame.orientation is None:
        raise ScanError(f"{frame.name} does not say how it lies.")
    return frame.orientation


def _spacing(frame: Frame) -> tuple[float, float]:
    return frame.spacing or (0.0, 0.0)


def _reference(frame: Frame) -> str:
    return str(frame.header.data.get("FrameOfReferenceUID", "") or "")


def _pixel_words(frame: Frame) -> str:
    return f"pixels of {_spacing(frame)[1]:.4g} x {_spacing(frame)[0]:.4g} mm"


def _cosines(frame: Frame) -> str:
    return f"rows and columns along {' '.join(f'{v:.2f}' for v in _orientation(frame))}"


def _plane(frame: Frame) -> str:
    return _PLANES[int(np.abs(normal_of(_orientation(frame))).argmax())]
