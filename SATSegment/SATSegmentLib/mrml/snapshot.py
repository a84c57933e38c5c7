"""Some segments of a node as they are now, with their display and what the node refers to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.mrml.record import RECORD_ATTRIBUTE
from SATSegmentLib.mrml.segmentations import LABELMAP, batch, releaseSegments, surfaceSetAside

# What a display node keeps for each segment: vtkMRMLSegmentationDisplayNode has Get and Set of each.
_DISPLAY = (
    "SegmentVisibility",
    "SegmentVisibility3D",
    "SegmentVisibility2DFill",
    "SegmentVisibility2DOutline",
    "SegmentOpacity3D",
    "SegmentOpacity2DFill",
    "SegmentOpacity2DOutline",
    "SegmentPickable",
)


@dataclass(frozen=True, eq=False)
class _Kept:
    """A segment as it was.

    Attributes
    ----------
    identifier, nextId : str
        Its id, and that of the segment that came after it.
    about : vtkSegment
        Name, colour and tags; without voxels.
    mask : CroppedMask
        Its voxels, KJI, with the labelmap's own indices.
    geometry : vtkMatrix4x4 or None
        Of its labelmap, index to world; None where it had none.
    display : dict
        Value of each of `_DISPLAY`.
    """

    identifier: str
    nextId: str
    about: Any
    mask: CroppedMask
    geometry: Any
    display: dict[str, Any] = field(default_factory=dict)

    def segment(self) -> Any:
        """A new vtkSegment with a labelmap of its own."""
        made = slicer.vtkSegment()
        made.DeepCopyMetadata(self.about)
        labelmap = slicer.vtkOrientedImageData()
        if self.mask.voxels:
            k, j, i = self.mask.offset
            depth, rows, columns = self.mask.shape
            labelmap.SetExtent(i, i + columns - 1, j, j + rows - 1, k, k + depth - 1)
            array = numpy_to_vtk(self.mask.to_array().astype(np.uint8).ravel(), deep=True)
            array.SetName("ImageScalars")
            labelmap.GetPointData().SetScalars(array)
        if self.geometry is not None:
            labelmap.SetGeometryFromImageToWorldMatrix(self.geometry)
        made.AddRepresentation(LABELMAP, labelmap)
        made.SetLabelValue(1)
        return made


class NodeSnapshot:
    """What is kept costs little: one bit for each voxel of the segments' boxes.

    Parameters
    ----------
    segmentationNode : Any
        vtkMRMLSegmentationNode
    segmentIds : iterable of str
        The segments to keep; one that is not there is remembered as not being there.
    absent : iterable of str, optional
        Of these, segments that are to be remembered as not being there although they are.
    """

    def __init__(self, segmentationNode: Any, segmentIds: Iterable[str], absent: Iterable[str] = ()) -> None:
        self._node, self._ids = segmentationNode, list(dict.fromkeys(segmentIds))
        segmentation = segmentationNode.GetSegmentation()
        role = segmentationNode.GetReferenceImageGeometryReferenceRole()
        self._record = segmentationNode.GetAttribute(RECORD_ATTRIBUTE)
        self._transformId = segmentationNode.GetTransformNodeID()
        self._referenceId = segmentationNode.GetNodeReferenceID(role)
        self._source = segmentation.GetSourceRepresentationName()
        self._geometry = segmentation.GetConversionParameter(_geometryParameter())
        there = (segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments()))
        order = [one for one in there if one not in set(absent)]
        wanted = [one for one in order if one in set(self._ids)]
        masks = masksOf(segmentation, wanted)
        self._kept = [self._keep(one, _after(order, one), *masks[one]) for one in wanted]

    def apply(self) -> None:
        """Make these segments what they were; all others stay as they are now."""
        node = self._node
        segmentation = node.GetSegmentation()
        with batch(node), surfaceSetAside(node):
            node.SetAttribute(RECORD_ATTRIBUTE, self._record)
            there = [one for one in self._ids if segmentation.GetSegment(one) is not None]
            releaseSegments(segmentation, there)
            for identifier in there:
                segmentation.RemoveSegment(identifier)
            self._applyReferences()
            for kept in reversed(self._kept):
                segment = kept.segment()
                segmentation.AddSegment(segment, kept.identifier, kept.nextId)
                segment.Modified()
        display = node.GetDisplayNode()
        for kept in self._kept if display is not None else ():
            for name, value in kept.display.items():
                getattr(display, f"Set{name}")(kept.identifier, value)

    def _applyReferences(self) -> None:
        node = self._node
        segmentation = node.GetSegmentation()
        # The transform comes before the voxels: written at the root, they would be transformed twice.
        node.SetAndObserveTransformNodeID(self._transformId)
        node.SetNodeReferenceID(node.GetReferenceImageGeometryReferenceRole(), self._referenceId)
        if self._geometry:
            segmentation.SetConversionParameter(_geometryParameter(), self._geometry)
        if not segmentation.GetNumberOfSegments():
            segmentation.SetSourceRepresentationName(self._source or LABELMAP)

    def _keep(self, identifier: str, nextId: str, mask: CroppedMask, geometry: Any) -> _Kept:
        about = slicer.vtkSegment()
        about.DeepCopyMetadata(self._node.GetSegmentation().GetSegment(identifier))
        display = self._node.GetDisplayNode()
        shown = {name: getattr(display, f"Get{name}")(identifier) for name in _DISPLAY} if display is not None else {}
        return _Kept(identifier, nextId, about, mask, geometry, shown)


def _geometryParameter() -> str:
    return slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()


def _after(order: Sequence[str], identifier: str) -> str:
    following = order[order.index(identifier) + 1 :]
    return following[0] if following else ""


def masksOf(segmentation: Any, ids: Sequence[str]) -> dict[str, tuple[CroppedMask, Any]]:
    """Each segment's voxels and its labelmap's geometry.

    A labelmap that segments share is gone through once for all of them.
    """
    nothing = CroppedMask(np.zeros(0, np.uint8))
    shared: dict[str, tuple[Any, list[str]]] = {}
    found: dict[str, tuple[CroppedMask, Any]] = {}
    for identifier in ids:
        labelmap = segmentation.GetSegment(identifier).GetRepresentation(LABELMAP)
        found[identifier] = (nothing, None)
        if labelmap is not None:
            shared.setdefault(labelmap.GetAddressAsString(""), (labelmap, []))[1].append(identifier)
    for labelmap, members in shared.values():
        geometry = vtk.vtkMatrix4x4()
        labelmap.GetImageToWorldMatrix(geometry)
        scalars = labelmap.GetPointData().GetScalars()
        low_i, high_i, low_j, high_j, low_k, high_k = labelmap.GetExtent()
        shape = (high_k - low_k + 1, high_j - low_j + 1, high_i - low_i + 1)
        labels = None if scalars is None or min(shape) < 1 else vtk_to_numpy(scalars).reshape(shape)
        slices = {} if labels is None else _slices(labels)
        for identifier in members:
            value = int(segmentation.GetSegment(identifier).GetLabelValue())
            found[identifier] = (nothing, geometry)
            if labels is not None and value in slices:
                first, last = slices[value]
                mask = CroppedMask.from_array(labels[first : last + 1] == value, (low_k + first, low_j, low_i))
                found[identifier] = (mask, geometry)
    return found


def _slices(labels: np.ndarray) -> dict[int, tuple[int, int]]:
    """First and last slice (along K) of each value."""
    found: dict[int, tuple[int, int]] = {}
    for k, piece in enumerate(labels):
        for value in (
            np.unique(piece).tolist() if piece.dtype != np.uint8 else np.flatnonzero(np.bincount(piece.ravel()))
        ):
            first, _ = found.get(int(value), (k, k))
            found[int(value)] = (first, k)
    return found
