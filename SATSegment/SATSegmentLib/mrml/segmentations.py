"""From results to segments of a segmentation node."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from SATSegmentLib.errors import GeometryError, ScanError
from SATSegmentLib.grid.grid import Grid
from SATSegmentLib.grid.placing import same_place
from SATSegmentLib.mrml.transforms import placeOf
from SATSegmentLib.mrml.volumes import arrayFromMatrix, checkVolume, imageFromVolume, volumeOf
from SATSegmentLib.segments.layers import Layer, pack
from SATSegmentLib.segments.style import SegmentStyle, segment_id, style_of
from SATSegmentLib.types import Prompt, SegmentResult

LABELMAP = "Binary labelmap"
SURFACE = "Closed surface"
# What is said of a segment's origin before the run says which model it was.
ALGORITHM = "SAT"
_ALGORITHM_TAG = "DICOM.SegmentAlgorithmName"


@dataclass(frozen=True)
class WrittenSegments:
    """What became of the results.

    Attributes
    ----------
    segmentIds : tuple[str, ...]
        Ids of the segments that were made or replaced, in the order of the results.
    notFound : tuple[str, ...]
        Texts of the prompts whose result was empty; nothing was made for them.
    removedIds : tuple[str, ...]
        Ids of segments of earlier runs whose prompt found nothing this time; they are gone.
    unknown : tuple[str, ...]
        Texts of the prompts that the model has no answer to; it did not look for them.
    """

    segmentIds: tuple[str, ...]
    notFound: tuple[str, ...]
    removedIds: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def createSegmentation(volumeNode: Any, name: str = "") -> Any:
    """A new, empty segmentation node for a volume: in its scene, on its grid, under its parent transform.

    Parameters
    ----------
    name : str, optional
        "<volume> segmentation" by default.
    """
    scene = volumeNode.GetScene()
    _registerConverters()
    segmentationNode = slicer.vtkMRMLSegmentationNode()
    segmentationNode.SetName(scene.GenerateUniqueName(name or f"{volumeNode.GetName()} segmentation"))
    scene.AddNode(segmentationNode)
    segmentationNode.CreateDefaultDisplayNodes()
    _attachToVolume(segmentationNode, volumeNode)
    putBesideVolume(segmentationNode, volumeNode)
    return segmentationNode


def writeResults(
    segmentationNode: Any,
    volumeNode: Any,
    results: Sequence[SegmentResult],
    style: Callable[[Prompt], SegmentStyle] = style_of,
    algorithm: str = ALGORITHM,
) -> WrittenSegments:
    """Write results of a volume as segments: one per prompt, under an id that is the same in every run.

    A prompt that was written before has its segment replaced; name and codes are set anew, colour and
    display stay as the user left them. An empty result makes no segment and touches no other; a
    segment of its own from an earlier run is removed, because it no longer says what the model says.
    All other segments stay as they are.

        written = writeResults(segmentationNode, volumeNode, results)
        segmentationNode.GetSegmentation().GetSegment(written.segmentIds[0])

    Parameters
    ----------
    segmentationNode : Any
        Where to; see `createSegmentation`.
    volumeNode : Any
        The scan that the results belong to.
    style : Callable[[Prompt], SegmentStyle], optional
        Colour and codes for a prompt.
    algorithm : str, optional
        Name of the model, kept on each segment for DICOM.

    Raises
    ------
    GeometryError
        The segmentation has segments and lies under another transform than the volume,
        or keeps its segments as surfaces; nothing was changed.
    """
    checkVolume(volumeNode)
    checkTarget(segmentationNode, volumeNode)
    _registerConverters()
    found = [result for result in results if result.voxels]
    # Whatever can fail is done before the scene is touched.
    looks = [style(result.prompt) for result in found]
    places = _labelmaps(volumeNode, pack(found))
    ids = [segment_id(result.prompt) for result in found]
    # What the model did not look for says nothing of a segment that another model made.
    empty = [result for result in results if not result.voxels and result.status != "unknown"]
    emptyIds = [segment_id(result.prompt) for result in empty]
    segmentation = segmentationNode.GetSegmentation()
    removed = tuple(i for i in emptyIds if i not in ids and segmentation.GetSegment(i) is not None)
    with batch(segmentationNode), surfaceSetAside(segmentationNode):
        _attachToVolume(segmentationNode, volumeNode)
        segmentation.SetSourceRepresentationName(LABELMAP)
        releaseSegments(segmentation, [i for i in [*ids, *removed] if segmentation.GetSegment(i) is not None])
        for identifier in removed:
            segmentation.RemoveSegment(identifier)
        for index, result in enumerate(found):
            labelmap, value = places[index]
            _putSegment(segmentation, ids[index], labelmap, value, result.prompt, looks[index], algorithm)
    unknown = tuple(result.prompt.text for result in results if result.status == "unknown")
    return WrittenSegments(tuple(ids), tuple(result.prompt.text for result in empty), removed, unknown)


def addSegment(segmentationNode: Any, volumeNode: Any, result: SegmentResult, nextId: str = "") -> None:
    """Add one result as a new segment with a labelmap of its own; no other segment is touched.

    Parameters
    ----------
    nextId : str, optional
        The segment that comes after it; by default it is the last.
    """
    _registerConverters()
    ((labelmap, value),) = _labelmaps(volumeNode, pack([result])).values()
    segmentation, prompt = segmentationNode.GetSegmentation(), result.prompt
    with batch(segmentationNode):
        if not segmentation.GetNumberOfSegments():
            _attachToVolume(segmentationNode, volumeNode)
            segmentation.SetSourceRepresentationName(LABELMAP)
        _putSegment(segmentation, segment_id(prompt), labelmap, value, prompt, style_of(prompt), ALGORITHM, nextId)


def nameAlgorithm(segmentationNode: Any, segmentIds: Iterable[str], algorithm: str) -> None:
    """Say on segments what made them; DICOM wants a name of each that was made automatically."""
    for identifier in segmentIds:
        segment = segmentationNode.GetSegmentation().GetSegment(identifier)
        if segment is not None:
            segment.SetTag(_ALGORITHM_TAG, algorithm)


def _registerConverters() -> None:
    # Slicer has done this at its start. With its libraries alone (package slicer-core) nobody has, and every
    # write of a segment would fail with a warning only.
    probe = slicer.vtkSegmentation()
    probe.SetSourceRepresentationName(LABELMAP)
    paths = slicer.vtkSegmentationConversionPaths()
    probe.GetPossibleConversions(SURFACE, paths)
    if not paths.GetNumberOfPaths():
        slicer.vtkSlicerSegmentationsModuleLogic().SetMRMLScene(slicer.vtkMRMLScene())


def checkTarget(segmentationNode: Any, volumeNode: Any) -> None:
    """Refuse a segmentation that results of the volume cannot be written to; None stands for a new one.

    Raises
    ------
    ScanError
        The volume is in no scene.
    GeometryError
        It has segments and is of another scan, lies under another transform than the volume, or keeps them as surfaces.
    """
    if volumeNode.GetScene() is None:
        raise ScanError(f"{volumeNode.GetName()} is in no scene.", "Add the volume to a scene first.")
    if segmentationNode is None or segmentationNode.GetSegmentation().GetNumberOfSegments() == 0:
        return
    segmentation = segmentationNode.GetSegmentation()
    name = segmentationNode.GetName()
    _checkSameScan(segmentationNode, volumeNode)
    if segmentation.GetSourceRepresentationName() != LABELMAP:
        raise GeometryError(
            f"{name} keeps its segments as {segmentation.GetSourceRepresentationName().lower()}.",
            "Choose a new segmentation, or make the binary labelmap its source (module Segmentations).",
        )
    if segmentationNode.GetTransformNodeID() != volumeNode.GetTransformNodeID():
        # Putting it under the volume's transform now would move the segments that are in it.
        raise GeometryError(
            f"{placeOf(segmentationNode)}, and {placeOf(volumeNode)}: they must be under the same transform.",
            "Choose a new segmentation, or put both under one transform (module Data).",
        )


def _checkSameScan(segmentationNode: Any, volumeNode: Any) -> None:
    """Masks of two scans in one segmentation: thresholds, exports and the record would take the one for the other."""
    remedy = "Choose a new segmentation for this scan (Segmentation: Create new)."
    other = volumeOf(segmentationNode)
    if other is volumeNode:
        return
    if other is not None:
        raise GeometryError(
            f"{segmentationNode.GetName()} holds segments of {other.GetName()}, not of {volumeNode.GetName()}.", remedy
        )
    # Its scan is not in the scene: loaded from a file, or the scan was closed. The grid it was made on is still known.
    text = segmentationNode.GetSegmentation().GetConversionParameter(
        slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    )
    geometry = slicer.vtkOrientedImageData()
    if not text or not slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, geometry, False):
        return
    matrix = vtk.vtkMatrix4x4()
    geometry.GetImageToWorldMatrix(matrix)
    i0, i1, j0, j1, k0, k1 = geometry.GetExtent()
    image = imageFromVolume(volumeNode)
    own = Grid((k1 - k0 + 1, j1 - j0 + 1, i1 - i0 + 1), arrayFromMatrix(matrix))
    if (i0, j0, k0) != (0, 0, 0) or own.shape_kji != image.array.shape or not same_place(own, Grid.of(image)):
        raise GeometryError(
            f"{segmentationNode.GetName()} holds segments on another grid than that of {volumeNode.GetName()}.", remedy
        )


def _attachToVolume(segmentationNode: Any, volumeNode: Any) -> None:
    # The transform comes before the voxels: written at the root, they would be transformed twice.
    segmentationNode.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    segmentationNode.SetNodeReferenceID(segmentationNode.GetReferenceImageGeometryReferenceRole(), volumeNode.GetID())


def putBesideVolume(segmentationNode: Any, volumeNode: Any) -> None:
    """In the subject hierarchy, under the study of the scan."""
    if volumeNode is None:
        return
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volumeNode.GetScene())
    if hierarchy is None:
        return
    volumeItem, segmentationItem = (hierarchy.GetItemByDataNode(node) for node in (volumeNode, segmentationNode))
    if volumeItem and segmentationItem:
        hierarchy.SetItemParent(segmentationItem, hierarchy.GetItemParent(volumeItem))


@contextlib.contextmanager
def batch(segmentationNode: Any) -> Iterator[None]:
    """One modified event for all segments."""
    wasModifying = segmentationNode.StartModify()
    try:
        yield
    finally:
        segmentationNode.EndModify(wasModifying)


@contextlib.contextmanager
def surfaceSetAside(segmentationNode: Any) -> Iterator[None]:
    """Make the 3-D surfaces once at the end, not again for each segment."""
    hadSurface = segmentationNode.GetSegmentation().ContainsRepresentation(SURFACE)
    if hadSurface:
        segmentationNode.GetSegmentation().RemoveRepresentation(SURFACE)
    try:
        yield
    finally:
        if hadSurface:
            segmentationNode.CreateClosedSurfaceRepresentation()


def releaseSegments(segmentation: Any, ids: Sequence[str]) -> None:
    """Take the segments' voxels out of the labelmaps that they share with others.

    Each shared labelmap is gone through once, not once per segment as vtkSegmentation.ClearSegment does:
    100 segments on 512x512x300 took 5.1 s that way.
    """
    shared: dict[str, tuple[Any, list[int]]] = {}
    for identifier in ids:
        segment = segmentation.GetSegment(identifier)
        labelmap = segment.GetRepresentation(LABELMAP)
        if labelmap is not None:
            shared.setdefault(labelmap.GetAddressAsString(""), (labelmap, []))[1].append(segment.GetLabelValue())
        # An empty labelmap of its own, so that whatever happens to the segment next leaves the others alone.
        segment.AddRepresentation(LABELMAP, slicer.vtkOrientedImageData())
        segment.SetLabelValue(1)
    for labelmap, values in shared.values():
        scalars = labelmap.GetPointData().GetScalars()
        if scalars is None:
            continue
        voxels = vtk_to_numpy(scalars)
        voxels[np.isin(voxels, values)] = 0
        scalars.Modified()
        labelmap.Modified()


def _labelmaps(volumeNode: Any, layers: Sequence[Layer]) -> dict[int, tuple[Any, int]]:
    """Each result's labelmap, and its value in there."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    places = {}
    for layer in layers:
        labelmap = _labelmap(layer, matrix)
        places.update({index: (labelmap, value) for index, value in layer.members})
    return places


def _labelmap(layer: Layer, ijkToRas: Any) -> Any:
    """A layer as a piece of the volume's grid: same axes, its own extent."""
    labelmap = slicer.vtkOrientedImageData()
    labelmap.SetExtent(*(end for side in reversed(layer.box) for end in (side.start, side.stop - 1)))
    scalars = vtk.vtkUnsignedCharArray()
    scalars.SetName("ImageScalars")
    scalars.SetNumberOfTuples(layer.labels.size)
    vtk_to_numpy(scalars).reshape(layer.labels.shape)[...] = layer.labels
    labelmap.GetPointData().SetScalars(scalars)
    labelmap.SetGeometryFromImageToWorldMatrix(ijkToRas)
    return labelmap


def _putSegment(
    segmentation: Any,
    identifier: str,
    labelmap: Any,
    value: int,
    prompt: Prompt,
    look: SegmentStyle,
    algorithm: str,
    nextId: str = "",
) -> None:
    segment = segmentation.GetSegment(identifier)
    isNew = segment is None
    if isNew:
        segment = slicer.vtkSegment()
        segment.SetColor(*(channel / 255 for channel in look.color))
        segment.SetColorAutoGenerated(False)
    # Also where the user renamed it: the voxels are this prompt's again, whatever they were called since.
    segment.SetName(prompt.text)
    segment.SetNameAutoGenerated(False)
    if look.terminology:
        segment.SetTag(segment.GetTerminologyEntryTagName(), look.terminology)
    segment.SetTag("DICOM.SegmentAlgorithmType", "AUTOMATIC")
    segment.SetTag(_ALGORITHM_TAG, algorithm)
    segment.SetLabelValue(value)
    segment.AddRepresentation(LABELMAP, labelmap)
    if isNew:
        segmentation.AddSegment(segment, identifier, nextId)
    # vtkSegmentation begins to observe the labelmap when its segment says that it changed.
    segment.Modified()


def jumpToSegment(segmentationNode: Any, segmentId: str) -> None:
    """Move all slice views of the scene to the middle of a segment."""
    center = segmentationNode.GetSegmentCenterRAS(segmentId)
    if center is None:
        return
    slicer.vtkMRMLSliceNode.JumpAllSlices(
        segmentationNode.GetScene(), *center, slicer.vtkMRMLSliceNode.CenteredJumpSlice
    )


def stampOf(segment: Any) -> int:
    """Changes when the segment's voxels may have been changed.

    A layer's time is that of all segments in it: better to ask once too often than to lose an edit.
    """
    labelmap = segment.GetRepresentation(LABELMAP)
    return labelmap.GetMTime() if labelmap is not None else 0


def changedSince(segmentationNode: Any, stamps: Mapping[str, int]) -> set[str]:
    """Those of the segments that are there and may have been changed since they had these stamps (`stampOf`)."""
    segmentation = segmentationNode.GetSegmentation()
    there = ((one, segmentation.GetSegment(one)) for one in stamps)
    return {one for one, segment in there if segment is not None and stampOf(segment) != stamps[one]}


def removeNode(segmentationNode: Any) -> list[Any]:
    """Take a segmentation out of its scene, with the nodes that are only there for it.

    Returns
    -------
    list
        All of them, in the order in which they can be added again.
    """
    node = segmentationNode
    scene = node.GetScene()
    own = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    own += [node.GetNthStorageNode(n) for n in range(node.GetNumberOfStorageNodes())]
    own = [one for one in own if one is not None]
    for one in (node, *own):
        scene.RemoveNode(one)
    return [*own, node]


def removeSegment(segmentationNode: Any, segmentId: str) -> None:
    """Remove a segment and its voxels; others in the same labelmap stay."""
    segmentation = segmentationNode.GetSegmentation()
    if segmentation.GetSegment(segmentId) is not None:
        releaseSegments(segmentation, [segmentId])
        segmentation.RemoveSegment(segmentId)
