"""One run over a volume: what is checked before it, and what is written after it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from SATSegmentLib.anatomy.resolver.names import prompts_for
from SATSegmentLib.engine.api import Engine, RunListener, RunOptions, SegmentAnswer, SegmentRequest
from SATSegmentLib.errors import SATSegmentWarning, ScanError
from SATSegmentLib.models.catalog import checksum_of
from SATSegmentLib.mrml.doubts import volumeDoubts
from SATSegmentLib.mrml.modality import statedModality
from SATSegmentLib.mrml.record import addRecord
from SATSegmentLib.mrml.segmentations import WrittenSegments, checkTarget, createSegmentation, writeResults
from SATSegmentLib.mrml.undo import RunUndo
from SATSegmentLib.mrml.volumes import imageFromVolume
from SATSegmentLib.segments.style import segment_id
from SATSegmentLib.types import Prompt, SegmentResult

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RunOutput:
    """What a run left in the scene.

    Attributes
    ----------
    segmentationNode : Any
        Where the segments are.
    results : tuple[SegmentResult, ...]
        One per prompt, in their order, without masks that anybody needs any more.
    written : WrittenSegments
        Which segments were made, what was not found.
    threshold : float
        Of the run.
    undo : RunUndo
        Takes it back.
    """

    segmentationNode: Any
    results: tuple[SegmentResult, ...]
    written: WrittenSegments
    threshold: float
    undo: RunUndo


class VolumeRun:
    """Remembers at its start what its masks will be of, so that they are never put on something else.

    Parameters
    ----------
    volumeNode : Any
        The scan.
    prompts : Sequence[Prompt]
        What is asked for.
    options : RunOptions
        How.
    segmentationNode : Any, optional
        Where the segments go; a new node by default.

    Raises
    ------
    ScanError, GeometryError
        The scan or the target cannot be used; nobody has waited yet.
    """

    @classmethod
    def named(
        cls,
        volumeNode: Any,
        structures: Any,
        options: RunOptions | None,
        modality: Any,
        segmentationNode: Any = None,
    ) -> VolumeRun:
        """A run for names as they are typed, or prompts; without a modality that of the volume's DICOM tags."""
        if modality is None:
            modality = statedModality(volumeNode)
        options = options or RunOptions()
        prompts = prompts_for(structures, modality, model_sha256=checksum_of(options.model))
        return cls(volumeNode, prompts, options, segmentationNode)

    def __init__(
        self, volumeNode: Any, prompts: Sequence[Prompt], options: RunOptions, segmentationNode: Any = None
    ) -> None:
        self.image = imageFromVolume(volumeNode)
        self.doubts = volumeDoubts(volumeNode, self.image)
        # Before the run: nobody should wait for masks that have no place to go.
        checkTarget(segmentationNode, volumeNode)
        self.prompts, self.options = list(prompts), options
        self._volumeNode = volumeNode
        self._segmentationNode = segmentationNode
        # Taken now: renaming the node while the run is on must not name its result.
        self._name = f"{volumeNode.GetName()} segmentation"
        self._scalars = volumeNode.GetImageData().GetPointData().GetScalars()
        self._stamp = self._scalars.GetMTime()

    def ask(self, engine: Engine, listener: RunListener | None = None) -> SegmentAnswer:
        """The engine's answer, on the volume's own grid; takes as long as the run.

        Touches no node, so a thread may call it.

        Raises
        ------
        SATSegmentError
            As `Engine.segment`.
        """
        listener = listener or RunListener()
        for doubt in self.doubts:
            if listener.on_warning is not None:
                listener.on_warning(doubt.text)
            else:
                warnings.warn(doubt.text, SATSegmentWarning, stacklevel=2)
        return engine.segment(SegmentRequest.of(self.image, self.prompts, self.options), listener)

    def write(self, answer: SegmentAnswer) -> RunOutput:
        """Write an answer as segments.

        Raises
        ------
        ScanError
            The scan is gone, or is not what it was when the run began; nothing was changed.
        GeometryError
            As `writeResults`.
        """
        self._checkUnchanged()
        node, volumeNode = self._segmentationNode, self._volumeNode
        if node is not None and node.GetScene() is None:
            node = None  # It was deleted during the run; the result still has a place.
        isNew = node is None
        if isNew:
            node = createSegmentation(volumeNode, self._name)
        else:
            checkTarget(node, volumeNode)
        undo = RunUndo(node, [segment_id(prompt) for prompt in self.prompts], isNew)
        algorithm = f"{answer.model.name} {answer.model.sha256[:12]}".strip()
        try:
            written = writeResults(node, volumeNode, answer.results, algorithm=algorithm)
        except BaseException:
            if isNew:
                volumeNode.GetScene().RemoveNode(node)
            raise
        addRecord(node, answer.results, answer.model, self.options.threshold, self.doubts)
        undo.written()
        if written.notFound:
            _log.info("Not found: %s", ", ".join(written.notFound))
        if written.unknown:
            names = ", ".join(written.unknown)
            _log.warning("Not known to this model, and not looked for: %s. Choose another model for these.", names)
        return RunOutput(node, answer.results, written, self.options.threshold, undo)

    def _checkUnchanged(self) -> None:
        volumeNode = self._volumeNode
        if volumeNode.GetScene() is None:
            raise ScanError("The scan was closed during the run.", "Load it again, then run again.")
        name = volumeNode.GetName()
        changed = ScanError(f"{name} was changed during the run. Its masks would be of the old scan.", "Run it again.")
        imageData = volumeNode.GetImageData()
        scalars = imageData.GetPointData().GetScalars() if imageData is not None else None
        if scalars is not self._scalars or scalars.GetMTime() != self._stamp:
            raise changed
        now = imageFromVolume(volumeNode)
        if now.array.shape != self.image.array.shape or not np.array_equal(now.ijk_to_ras, self.image.ijk_to_ras):
            raise changed
