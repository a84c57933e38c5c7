"""From a record to what the network is trained on: the engine's own grid and intensities, and a mask for each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.errors import ScanError
from SATSegmentLib.grid.box import Box, bounding_box
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.network_grid import AxisMap, NetworkGrid, network_grid
from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.learning.data.label_names import training_orientation
from SATSegmentLib.learning.data.mask_voxels import MaskVoxels, read_masks
from SATSegmentLib.learning.data.merging import MergeRule, contradictions, merge
from SATSegmentLib.learning.data.records import Record
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Orientation


@dataclass(frozen=True, eq=False)
class LabelMask:
    """The mask of one label on the network's grid.

    Attributes
    ----------
    label: its name.
    box: where the mask is not empty; None where it is empty.
    mask: bool, the voxels of the box.
    """

    label: str
    box: Box | None
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class StandardCase:
    """A scan as the network sees it, and what was annotated in it.

    Attributes
    ----------
    image: float32, normalised; axes as `orientation` names them.
    masks: one for each label that is trained in this orientation, merged ones included.
    orientation: axis order.
    spacing: millimetres along these axes.
    lost: labels that were annotated and present, but so small or so far outside that the grid holds nothing of them.
        They are neither present nor absent, so nothing may be learnt from them.
    """

    image: np.ndarray
    masks: tuple[LabelMask, ...]
    orientation: Orientation
    spacing: tuple[float, float, float]
    lost: tuple[str, ...]


def label_groups(record: Record, rules: Sequence[MergeRule]) -> dict[Orientation, dict[str, tuple[str, ...]]]:
    """The labels to train, by the orientation they are trained in, each with the given labels it is made of."""
    groups: dict[Orientation, dict[str, tuple[str, ...]]] = {}
    for label, parts in merge(record.labels, rules).items():
        groups.setdefault(training_orientation(label, record.modality), {})[label] = parts
    return groups


def standardise(
    record: Record, rules: Sequence[MergeRule], spacing: tuple[float, float, float]
) -> dict[Orientation, StandardCase]:
    """Read a record's files and bring them to the network's grid, once for each orientation its labels need.

    The image goes through `inference.preprocess.prepare`, so training sees what inference sees. A mask's voxel is that
    of the nearest voxel in the scan, a tie going to the even one: as SAT's own references were made
    (`evaluation.grids.protocol_mask`).

    Parameters
    ----------
    rules: see `merging.merge`.
    spacing: millimetres along the network's axes.

    Raises
    ------
    SATSegmentError: the files cannot be read or used, or contradict each other.
    """
    image = read_scan(record.image)
    grid = Grid.of(image)
    groups = label_groups(record, rules)
    prepared = {orientation: prepare(image, record.modality, orientation, spacing) for orientation in groups}
    samplers = {orientation: _Sampler(grid, scan.grid, orientation, spacing) for orientation, scan in prepared.items()}
    found: dict[str, bool] = {}
    given: dict[Orientation, dict[str, LabelMask]] = {orientation: {} for orientation in groups}
    for voxels in read_masks(record.masks, grid):
        label = voxels.source.label
        found[label] = voxels.found
        for orientation, labels in groups.items():
            if any(label in parts for parts in labels.values()):
                mask = samplers[orientation].sample(voxels) if voxels.found else None
                given[orientation][label] = _cropped(label, mask)
    if problems := contradictions(found, rules):
        raise ScanError(
            f"The annotation contradicts itself: {'; '.join(problems)}.", "Leave the empty label out of the record."
        )
    cases = {}
    for orientation, labels in groups.items():
        masks, lost = _label_masks(labels, given[orientation], found)
        cases[orientation] = StandardCase(prepared[orientation].array, masks, orientation, spacing, lost)
    return cases


def _label_masks(
    labels: dict[str, tuple[str, ...]], given: dict[str, LabelMask], found: dict[str, bool]
) -> tuple[tuple[LabelMask, ...], tuple[str, ...]]:
    """The masks of the labels, and the names of those that were there but are not on the grid."""
    masks, lost = [], []
    for label, parts in labels.items():
        union = _union(label, [given[part] for part in parts])
        if union.box is None and any(found[part] for part in parts):
            lost.append(label)
        else:
            masks.append(union)
    return tuple(masks), tuple(lost)


def _cropped(label: str, mask: np.ndarray | None) -> LabelMask:
    box = None if mask is None else bounding_box(mask)
    return LabelMask(label, box, np.zeros((0, 0, 0), bool) if mask is None or box is None else mask[box].copy())


def _union(label: str, parts: list[LabelMask]) -> LabelMask:
    boxes = [part.box for part in parts if part.box]
    if not boxes:
        return _cropped(label, None)
    low = [min(box[axis].start for box in boxes) for axis in range(3)]
    high = [max(box[axis].stop for box in boxes) for axis in range(3)]
    mask = np.zeros([b - a for a, b in zip(low, high, strict=True)], bool)
    for part in parts:
        if part.box:
            mask[tuple(slice(s.start - a, s.stop - a) for s, a in zip(part.box, low, strict=True))] |= part.mask
    x, y, z = (slice(a, b) for a, b in zip(low, high, strict=True))
    return LabelMask(label, (x, y, z), mask)


class _Sampler:
    """Nearest voxels of the scan on a cropped network grid."""

    def __init__(
        self, source: Grid, cropped: NetworkGrid, orientation: Orientation, spacing: tuple[float, float, float]
    ) -> None:
        k, j, i = source.shape_kji
        # From the whole grid's first voxel on, where ties are counted from; the foreground's box begins later.
        whole = network_grid((i, j, k), source.ijk_to_ras, orientation, spacing)
        self._axes = [axis.source_axis for axis in cropped.axes]
        self._nearest = [
            _nearest(first, part, (i, j, k)[part.source_axis])
            for first, part in zip(whole.axes, cropped.axes, strict=True)
        ]
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def sample(self, voxels: MaskVoxels) -> np.ndarray:
        if self._last is None or self._last[0] is not voxels.array:
            oriented = voxels.array.transpose(2, 1, 0).transpose(self._axes)
            self._last = (voxels.array, oriented[np.ix_(*self._nearest)])
        return np.isin(self._last[1], voxels.values)


def _nearest(whole: AxisMap, cropped: AxisMap, source_size: int) -> np.ndarray:
    first = round((cropped.start - whole.start) / whole.step)
    # Rounded first: a header's last digit is not to decide a tie.
    steps = np.rint(np.round(abs(whole.step) * np.arange(first, first + cropped.size), 4))
    index = (whole.start + np.sign(whole.step) * steps).astype(np.intp)
    return np.clip(index, 0, source_size - 1)
