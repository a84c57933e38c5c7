"""SAT Segment: type anatomy names, get editable segments. The module that Slicer loads, and its console API.

import SATSegment
logic = SATSegment.SATSegmentLogic()
segmentationNode = logic.segment(volumeNode, ["liver", "left kidney"], modality="ct", model="sat-nano")
"""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import slicer

try:
    from slicer.i18n import tr as _
    from slicer.i18n import translate
    from slicer.ScriptedLoadableModule import (
        ScriptedLoadableModule,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
        ScriptedLoadableModuleWidget,
    )
except ModuleNotFoundError:
    # Slicer's libraries without its application (package slicer-core): there the logic works alone.
    ScriptedLoadableModule = ScriptedLoadableModuleLogic = object
    ScriptedLoadableModuleTest = ScriptedLoadableModuleWidget = object

    def _(text: str) -> str:
        return text

    def translate(context: str, text: str) -> str:
        return text


CITATION = (
    "Zhao Z, Zhang Y, Wu C, Zhang X, Zhou X, Zhang Y, Wang Y, Xie W. Large-vocabulary segmentation for medical "
    "images with text prompts. npj Digital Medicine 8, 566 (2025)."
)


class SATSegment(ScriptedLoadableModule):
    """What Slicer shows of the module before anybody opens it."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("SAT Segment")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = []
        parent.contributors = ["SATSegment developers"]
        parent.helpText = _(
            "Segments CT, MRI and PET by anatomy names, with SAT, a text-prompted network that knows 498 labels. "
            "Research use only; not a medical device."
        )
        parent.acknowledgementText = _("The network was published by: {citation}").format(citation=CITATION)


class SATSegmentWidget(ScriptedLoadableModuleWidget):
    """The module's panel: until the panel proper comes, it says how to use the module from the Python console."""

    def setup(self) -> None:
        import qt

        ScriptedLoadableModuleWidget.setup(self)
        label = qt.QLabel(
            _(
                "Segment from the Python console:\n\n"
                "import SATSegment\n"
                'volume = slicer.util.getNode("MyScan")\n'
                'SATSegment.SATSegmentLogic().segment(volume, ["left hippocampus"], modality="mri", model="demo")\n\n'
                "Research use only. Not a medical device."
            )
        )
        label.wordWrap = True
        label.setTextInteractionFlags(qt.Qt.TextSelectableByMouse)
        self.layout.addWidget(label)
        self.layout.addStretch(1)

    def cleanup(self) -> None:
        # Slicer is closing, or the module is reloaded: the worker must not outlive the code that talks to it.
        if sharedWorker.cache_info().currsize:
            sharedWorker().close()
            sharedWorker.cache_clear()


class SATSegmentLogic(ScriptedLoadableModuleLogic):
    """Segments volumes by anatomy names; no widgets, so it works from a script as well.

        logic = SATSegmentLogic()
        segmentationNode = logic.segment(volumeNode, ["left hippocampus", "brainstem"], modality="mri", model="demo")
        for result in logic.results:
            print(result.prompt.text, result.status, result.volume_ml)

    The network runs in a process of its own, which is kept between calls so that the model stays loaded.

    Attributes
    ----------
    results: the `SegmentResult` of each prompt of the last run, empty ones too.
    written: the `WrittenSegments` of the last run: which segments were made, what was not found.
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.results = []
        self.written = None

    def segment(
        self,
        volumeNode,
        structures: str | Sequence[str],
        modality: str,
        model: str,
        segmentationNode=None,
        device: str = "auto",
        precision: str = "auto",
        onProgress: Callable | None = None,
        isCancelled: Callable[[], bool] | None = None,
    ):
        """Segment structures in a volume; returns when it is done.

        Parameters
        ----------
        volumeNode: vtkMRMLScalarVolumeNode with the scan.
        structures: names as SAT was trained on ("left kidney"), in any letters' case.
        modality: "ct", "mri" or "pet".
        model: name of an installed model ("demo", "sat-nano", "sat-pro"), or its folder.
        segmentationNode: where to add the segments; a new node beside the volume by default.
            A structure that was segmented before is replaced; what others made is not touched.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        precision: "auto", "float32", "bfloat16" or "float16".
        onProgress: called with a `Progress` (fraction, stage, seconds_left).
        isCancelled: asked during the run; where it answers True, `Cancelled` is raised.

        Returns
        -------
        The vtkMRMLSegmentationNode, with one segment for each structure that was found.

        Raises
        ------
        SATSegmentLib.errors.SATSegmentError: what happened and what to do; the scene is as it was.
        """
        from SATSegmentLib.mrml import segmentations, volumes

        prompts = promptsFor(structures, modality)
        image = volumes.imageFromVolume(volumeNode)
        # Before the run: nobody should wait for masks that have no place to go.
        segmentations.checkTarget(segmentationNode, volumeNode)
        answer = sharedWorker().segment(
            image, prompts, model, device=device, precision=precision, progress=onProgress, cancel=isCancelled
        )
        target = segmentationNode or segmentations.createSegmentation(volumeNode)
        algorithm = f"{answer.model.name} {answer.model.sha256[:12]}".strip()
        try:
            self.written = segmentations.writeResults(target, volumeNode, answer.results, algorithm=algorithm)
        except BaseException:
            if segmentationNode is None:
                volumeNode.GetScene().RemoveNode(target)
            raise
        self.results = answer.results
        if self.written.notFound:
            logging.info(f"Not found: {', '.join(self.written.notFound)}")
        return target


def promptsFor(structures: str | Sequence[str], modality: str):
    """The prompts for structures' names.

    Raises
    ------
    PromptError: a name is empty, or SAT was not trained on it in this modality.
    """
    from SATSegmentLib.anatomy.labels import find_label
    from SATSegmentLib.errors import PromptError
    from SATSegmentLib.types import MODALITIES

    if modality not in MODALITIES:
        raise PromptError(f"{modality!r} is not a modality.", f"Use one of {', '.join(MODALITIES)}.")
    prompts = []
    for name in [structures] if isinstance(structures, str) else structures:
        text = name.strip()
        if not text:
            raise PromptError("A structure's name is empty.", "Name a structure, or remove it.")
        label = find_label(modality, text)
        if label is None:
            known = [other for other in MODALITIES if find_label(other, text) is not None]
            remedy = f"It is known for {' and '.join(known)} only." if known else "Check its spelling."
            raise PromptError(f"SAT does not know {text!r} in {modality}.", remedy)
        prompts.append(label.prompt())
    return prompts


@functools.cache
def sharedWorker():
    """The one worker of this Slicer: started at the first run, and kept so that the model stays loaded."""
    from SATSegmentLib.worker.client import Worker

    if not hasattr(slicer, "app"):
        return Worker(sys.executable)
    # Not sys.executable: inside Slicer that may be Slicer itself. The start-up environment is the one from before
    # Slicer's launcher changed it; PythonSlicer is a launcher too and sets its own.
    suffix = ".exe" if os.name == "nt" else ""
    python = Path(slicer.app.slicerHome) / "bin" / f"PythonSlicer{suffix}"
    return Worker(str(python), {**slicer.util.startupEnvironment(), "PYTHONUTF8": "1"})


class SATSegmentTest(ScriptedLoadableModuleTest):
    """Self test inside Slicer: what can be said without PyTorch, and a run where it is installed."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def test_unknownNameIsRefused(self) -> None:
        from SATSegmentLib.errors import PromptError

        with self.assertRaises(PromptError):  # noqa: PT027 - Slicer's tests are unittest's
            promptsFor(["left hippocampus", "no such organ"], "mri")

    def test_missingVolumeIsRefused(self) -> None:
        from SATSegmentLib.errors import ScanError

        with self.assertRaises(ScanError):  # noqa: PT027
            SATSegmentLogic().segment(None, ["left hippocampus"], modality="mri", model="demo")

    def test_segmentsLieInTheVolumesGrid(self) -> None:
        """Written and read back through Slicer's own array functions, under a transform."""
        import numpy as np

        from SATSegmentLib.mrml.segmentations import createSegmentation, writeResults
        from SATSegmentLib.types import SegmentResult

        full = np.zeros((8, 10, 12), bool)
        full[2:5, 3:7, 4:9] = True
        full[2, 3, 4] = False
        volumeNode = slicer.util.addVolumeFromArray(full.astype(np.int16))
        transformNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        volumeNode.SetAndObserveTransformNodeID(transformNode.GetID())
        result = SegmentResult(
            prompt=promptsFor("brainstem", "mri")[0],
            status="found",
            mask=full[2:5, 3:7, 4:9],
            offset_kji=(2, 3, 4),
            voxels=int(full.sum()),
            volume_ml=0.0,
            mean_probability=1.0,
            max_probability=1.0,
            cut_by=(),
            orientation="RAS",
            device="cpu",
            precision="float32",
            seconds=0.0,
        )
        segmentationNode = createSegmentation(volumeNode)
        written = writeResults(segmentationNode, volumeNode, [result])
        found = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, written.segmentIds[0], volumeNode)
        np.testing.assert_array_equal(found > 0, full)
