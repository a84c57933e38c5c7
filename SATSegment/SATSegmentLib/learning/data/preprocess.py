"""From a record to what the network is trained on: the engine's own grid and intensities, and a mask for each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from SATSegmentLib.errors import ScanError
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.network_grid import NetworkGrid
from SATSegmentLib.grid.resample import labels_on_network_grid
from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.learning.data.label_names import training_orientation
from SATSegmentLib.learning.data.mask_voxels import MaskVoxels, read_masks
from SATSegmentLib.learning.data.merging import MergeRule, contradictions, merge
from SATSegmentLib.learning.data.records import Record
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Orientation


@dataclass(frozen=True, eq=False)
class PreprocessedCase:
    """A scan as the network sees it, and what was annotated in it.

    Attributes
    ----------
    image : np.ndarray
        float32, normalised; axes as `orientation` names them.
    masks : dict[str, CroppedMask]
        One for each label that is trained in this orientation, merged ones included, on the network's grid.
    orientation : Orientation
        Axis order.
    spacing : tuple[float, float, float]
        Millimetres along these axes.
    lost : tuple[str, ...]
        Labels that were annotated and present, but so small or so far outside that the grid holds nothing of them.
        They are neither present nor absent, so nothing may be learnt from them.
    """

    image: np.ndarray
    masks: dict[str, CroppedMask]
    orientation: Orientation
    spacing: tuple[float, float, float]
    lost: tuple[str, ...]


def label_groups(record: Record, rules: Sequence[MergeRule]) -> dict[Orientation, dict[str, tuple[str, ...]]]:
    """The labels to train, by the orientation they are trained in, each with the given labels it is made of."""
    groups: dict[Orientation, dict[str, tuple[str, ...]]] = {}
    for label, parts in merge(record.labels, rules).items():
        groups.setdefault(training_orientation(label, record.modality), {})[label] = parts
    return groups


def preprocess(
    record: Record, rules: Sequence[MergeRule], spacing: tuple[float, float, float]
) -> dict[Orientation, PreprocessedCase]:
    """Read a record's files and bring them to the network's grid, once for each orientation its labels need.

    The image goes through `inference.preprocess.prepare`, so training sees what inference sees. A mask's voxel is that
    of the nearest voxel in the scan, a tie going to the even one: as SAT's own references were made
    (`grid.resample.protocol_mask`).

    Parameters
    ----------
    rules : Sequence[MergeRule]
        See `merging.merge`.
    spacing : tuple[float, float, float]
        Millimetres along the network's axes.

    Raises
    ------
    SATSegmentError
        The files cannot be read or used, or contradict each other.
    """
    image = read_scan(record.image)
    grid = Grid.of(image)
    groups = label_groups(record, rules)
    prepared = {orientation: prepare(image, record.modality, orientation, spacing) for orientation in groups}
    samplers = {orientation: _Sampler(scan.grid) for orientation, scan in prepared.items()}
    found: dict[str, bool] = {}
    given: dict[Orientation, dict[str, CroppedMask]] = {orientation: {} for orientation in groups}
    for voxels in read_masks(record.masks, grid):
        label = voxels.source.label
        found[label] = voxels.found
        for orientation, labels in groups.items():
            if any(label in parts for parts in labels.values()):
                mask = samplers[orientation].sample(voxels) if voxels.found else np.zeros((0, 0, 0), bool)
                given[orientation][label] = CroppedMask.from_array(mask)
    if problems := contradictions(found, rules):
        raise ScanError(
            f"The annotation contradicts itself: {'; '.join(problems)}.", "Leave the empty label out of the record."
        )
    cases = {}
    for orientation, labels in groups.items():
        masks, lost = _label_masks(labels, given[orientation], found)
        cases[orientation] = PreprocessedCase(prepared[orientation].array, masks, orientation, spacing, lost)
    return cases


def _label_masks(
    labels: dict[str, tuple[str, ...]], given: dict[str, CroppedMask], found: dict[str, bool]
) -> tuple[dict[str, CroppedMask], tuple[str, ...]]:
    """The masks of the labels, and the names of those that were there but are not on the grid."""
    masks, lost = {}, []
    for label, parts in labels.items():
        union = CroppedMask.union(given[part] for part in parts)
        if not union and any(found[part] for part in parts):
            lost.append(label)
        else:
            masks[label] = union
    return masks, tuple(lost)


class _Sampler:
    """Masks on a cropped network grid; a label map that several labels share is brought there once."""

    def __init__(self, grid: NetworkGrid) -> None:
        self._grid = grid
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def sample(self, voxels: MaskVoxels) -> np.ndarray:
        if self._last is None or self._last[0] is not voxels.array:
            self._last = (voxels.array, labels_on_network_grid(voxels.array, self._grid))
        return np.isin(self._last[1], voxels.values)
