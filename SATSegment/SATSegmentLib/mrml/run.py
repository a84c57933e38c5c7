"""One run over a volume: what is checked before it, and what is written after it."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from SATSegmentLib.anatomy.resolver.names import prompts_for
from SATSegmentLib.engine.api import Engine, RunListener, RunOptions, SegmentAnswer, SegmentRequest
from SATSegmentLib.errors import SATSegmentError, SATSegmentWarning, ScanError
from SATSegmentLib.models.catalog import checksum_of
from SATSegmentLib.mrml.arrivals import Arrivals
from SATSegmentLib.mrml.doubts import volumeDoubts
from SATSegmentLib.mrml.earlier import earlierResults
from SATSegmentLib.mrml.modality import statedModality
from SATSegmentLib.mrml.record import addRecord
from SATSegmentLib.mrml.segmentations import WrittenSegments, checkTarget, nameAlgorithm, writeResults
from SATSegmentLib.mrml.undo import RunUndo
from SATSegmentLib.mrml.volumes import imageFromVolume
from SATSegmentLib.quality.assess import compared
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
        ids = {segment_id(prompt) for prompt in self.prompts}
        self._earlier = earlierResults(segmentationNode, self.image, volumeNode, ids)
        # The name is taken now: renaming the volume while the run is on must not name its result.
        name = f"{volumeNode.GetName()} segmentation"
        self._arrivals = Arrivals(volumeNode, self.prompts, segmentationNode, name)
        self._scalars = volumeNode.GetImageData().GetPointData().GetScalars()
        self._stamp = self._scalars.GetMTime()

    def ask(self, engine: Engine, listener: RunListener | None = None) -> SegmentAnswer:
        """The engine's answer, on the volume's own grid, with flags from what the segmentation held before, too.

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
        answer = engine.segment(SegmentRequest.of(self.image, self.prompts, self.options), listener)
        # The engine knows this run's results only; a person sees all that the segmentation holds.
        results = compared(self.image, answer.results, self._earlier)
        return dataclasses.replace(answer, results=tuple(results))

    def show(self, index: int, result: SegmentResult) -> None:
        """Show a structure as soon as it is finished, while the run goes on.

        It is a segment like any other, but without a record. `write` completes it, `discard` takes it away. A
        structure that the segmentation has already is left as it is until `write`.
        """
        # What is wrong here is wrong at the end as well, and is said there.
        with contextlib.suppress(SATSegmentError):
            self._checkUnchanged()
            self._arrivals.show(index, result)

    def discard(self) -> None:
        """Take away what `show` has added; what a user has edited since then stays."""
        self._arrivals.discard()

    def write(self, answer: SegmentAnswer) -> RunOutput:
        """Write an answer as segments, whole or not at all.

        Raises
        ------
        ScanError
            The scan is gone, or is not what it was when the run began; nothing of the run stays.
        GeometryError
            As `writeResults`.
        """
        try:
            return self._write(answer)
        except BaseException:
            self.discard()
            raise

    def _write(self, answer: SegmentAnswer) -> RunOutput:
        self._checkUnchanged()
        node, volumeNode = self._arrivals.target(), self._volumeNode
        checkTarget(node, volumeNode)
        ids, edited = [segment_id(prompt) for prompt in self.prompts], self._arrivals.edited()
        undo = RunUndo(node, ids, self._arrivals.isNew, self._arrivals.shown)
        algorithm = f"{answer.model.name} {answer.model.sha256[:12]}".strip()
        # What a user has edited since it was shown is theirs.
        results = [one for one in answer.results if segment_id(one.prompt) not in edited]
        try:
            written = writeResults(node, volumeNode, results, algorithm=algorithm)
        except BaseException:
            undo.undo()
            raise
        nameAlgorithm(node, edited, algorithm)
        found = tuple(segment_id(one.prompt) for one in answer.results if one.voxels)
        written = dataclasses.replace(written, segmentIds=found)
        addRecord(node, answer.results, answer.model, self.options.threshold, self.doubts)
        undo.written(edited)
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
