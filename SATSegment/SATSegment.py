"""SAT Segment: type anatomy names, get editable segments. The module that Slicer loads, and its console API.

import SATSegment
from SATSegmentLib import RunOptions
logic = SATSegment.SATSegmentLogic()
segmentationNode = logic.segment(volumeNode, ["liver", "left kidney"], RunOptions("sat-nano"), modality="ct")
"""

from __future__ import annotations

import dataclasses
import os
import sys
import types
import weakref
from collections.abc import Callable, Sequence

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


# Panels that share the engine: Slicer has one, and other modules may embed more.
_openPanels: weakref.WeakSet = weakref.WeakSet()


class SATSegmentWidget(ScriptedLoadableModuleWidget):
    """The module's panel. All it does is in `SATSegmentLib.gui.panel`."""

    def setup(self) -> None:
        from SATSegmentLib.gui.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/SATSegment.ui"))
        self.layout.addWidget(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = SATSegmentLogic()
        self.panel = Panel(uiWidget, self.logic, childPython)
        _openPanels.add(self)

    def enter(self) -> None:
        self.panel.enter()

    def exit(self) -> None:
        self.panel.exit()

    def cleanup(self) -> None:
        # Slicer is closing, or the module is reloaded: the engine must not outlive the code that talks to it.
        self.panel.release()
        _openPanels.discard(self)
        if not _openPanels:
            closeEngine()

    def onReload(self) -> None:
        """Load the library anew as well: Slicer itself executes only this file again."""
        self.cleanup()
        closeEngine()
        # Stands for the panel that has just been taken down, until the new one is up.
        self.panel = types.SimpleNamespace(**dict.fromkeys(("enter", "exit", "release"), lambda: None))
        reloadLibrary()
        ScriptedLoadableModuleWidget.onReload(self)


def reloadLibrary() -> None:
    """Execute the files of SATSegmentLib again, those first that others import."""
    import importlib

    loaded = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "SATSegmentLib"}
    for name in loaded:
        del sys.modules[name]
    for name in loaded:
        importlib.import_module(name)


class SATSegmentLogic(ScriptedLoadableModuleLogic):
    """Segments volumes by anatomy names; no widgets, so it works from a script as well.

        logic = SATSegmentLogic()
        segmentationNode = logic.segment(volumeNode, ["left putamen", "brainstem"], RunOptions("demo"), modality="mri")
        for result in logic.results:
            print(result.prompt.text, result.status, result.volume_ml)

    The network runs in a process of its own, which is kept between calls so that the model stays loaded.

    Attributes
    ----------
    results
        The `SegmentResult` of each prompt of the last run, empty ones too.
    written
        The `WrittenSegments` of the last run: which segments were made, what was not found, and what the model
        does not know (`unknown`; the others were segmented all the same).
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.results = []
        self.written = None

    def segment(
        self,
        volumeNode,
        structures: str | Sequence,
        options=None,
        modality: str | None = None,
        segmentationNode=None,
        listener=None,
    ):
        """Segment structures in a volume; returns when it is done.

        Parameters
        ----------
        volumeNode : vtkMRMLScalarVolumeNode
            The scan.
        structures : str, Prompt, or sequence of these
            Names in any wording that the prompt line takes ("lt kidney", "IVC", "kidneys"), taught words, or `Prompt`
            objects. A name that the prompt line would ask back about is refused with the candidates (`NameQuestion`).
        options : RunOptions, optional
            Model ("demo", "sat-nano", "sat-pro", or a folder), device, precision, threshold.
        modality : {"ct", "mri", "pet"}, optional
            Of the scan; by default what its DICOM tags say.
        segmentationNode : vtkMRMLSegmentationNode, optional
            Where to add the segments; a new node beside the volume by default. A structure that was segmented before
            is replaced; what others made is not touched.
        listener : RunListener, optional
            Hears of progress and warnings, and may cancel.

        Returns
        -------
        vtkMRMLSegmentationNode
            With one segment for each structure that was found.

        Raises
        ------
        SATSegmentLib.errors.SATSegmentError
            What happened and what to do; the scene is as it was.
        """
        from SATSegmentLib.mrml.run import VolumeRun

        run = VolumeRun.named(volumeNode, structures, options, modality, segmentationNode)
        return self._write(run, run.ask(sharedEngine(), listener)).segmentationNode

    def loadAhead(self, options) -> None:
        """Start this computer's engine and load a model ahead of the first run; returns at once.

        Parameters
        ----------
        options : SATSegmentLib.RunOptions
            Those of the run to come.
        """
        from SATSegmentLib.engine.process import WorkerEngine

        engine = sharedEngine()
        if isinstance(engine, WorkerEngine):  # a server has its own models loaded
            engine.load_ahead(options)

    def segmentAsync(
        self,
        volumeNode,
        structures: str | Sequence,
        options=None,
        modality: str | None = None,
        segmentationNode=None,
        listener=None,
        onDone: Callable | None = None,
    ):
        """As `segment`, but returns at once; Slicer stays usable, and each structure is a segment once it is finished.

        After a cancel or an error nothing of the run stays in the scene, but for segments that were edited meanwhile.

            run = logic.segmentAsync(volumeNode, "liver", RunOptions("sat-nano"), onDone=lambda output, error: ...)
            run.cancel()

        Parameters
        ----------
        listener : RunListener, optional
            Hears of progress, warnings and structures, in Qt's thread.
        onDone : callable, optional
            Called once, with (`SATSegmentLib.mrml.run.RunOutput`, None) or (None, error), whatever happens.

        Returns
        -------
        SATSegmentLib.gui.panel_task.PanelTask
            With `cancel()` and `running`.

        Raises
        ------
        SATSegmentLib.errors.SATSegmentError
            The scan, the names or the target cannot be used; nothing was started.
        """
        from SATSegmentLib.engine.api import RunListener
        from SATSegmentLib.gui.panel_task import PanelTask
        from SATSegmentLib.mrml.run import VolumeRun

        run = VolumeRun.named(volumeNode, structures, options, modality, segmentationNode)
        engine = sharedEngine()

        def done(answer, error) -> None:
            output = None
            if error is None:
                try:
                    output = self._write(run, answer)
                except Exception as problem:
                    error = problem
            if error is not None:
                run.discard()
            if onDone is not None:
                onDone(output, error)

        def found(index, result) -> None:
            run.show(index, result)
            if listener is not None and listener.on_result is not None:
                listener.on_result(index, result)

        heard = dataclasses.replace(listener or RunListener(), on_result=found)
        return PanelTask(lambda own: run.ask(engine, own), done, heard, run.discard)

    def teach(
        self,
        volumeNode,
        segmentationNode,
        segmentId: str,
        name: str,
        options=None,
        modality: str | None = None,
        moreExamples: Sequence = (),
        orientation: str = "RAS",
        listener=None,
    ):
        """Teach the model a new word from a segment; from then on the word can be asked for in any scan.

            logic.teach(volumeNode, segmentationNode, "Segment_1", "my implant", RunOptions("sat-nano"), modality="ct")
            logic.segment(otherVolumeNode, "my implant", RunOptions("sat-nano"), modality="ct")

        Parameters
        ----------
        segmentId : str
            Of the segment that shows the structure in the volume.
        name : str
            What the word is called; SAT must not know it already. A word of this name is replaced.
        moreExamples : sequence
            (volumeNode, segmentationNode, segmentId) of further examples. With these, each is also left out once, which
            says how well the word does on a scan it has not seen.
        orientation : str
            Axis order in which the model looks at the scans.
        options, modality, listener
            As in `segment`.

        Returns
        -------
        SATSegmentLib.anatomy.personal.user_words.WordFile
            Where the word is kept, and how well it does (`record`).

        Raises
        ------
        SATSegmentLib.errors.SATSegmentError
            What happened and what to do; no word was made.
        """
        examples = ((volumeNode, segmentationNode, segmentId), *moreExamples)
        from SATSegmentLib.mrml.lesson import lesson

        return lesson(sharedEngine(), examples, name, options, modality, orientation)(listener)

    def teachAsync(
        self,
        volumeNode,
        segmentationNode,
        segmentId: str,
        name: str,
        options=None,
        modality: str | None = None,
        listener=None,
        onDone: Callable | None = None,
    ):
        """As `teach`, but returns at once; listener and return value as in `segmentAsync`.

        Parameters
        ----------
        onDone : callable, optional
            Called once, with (`WordFile`, None) or (None, error), whatever happens.

        Raises
        ------
        SATSegmentLib.errors.SATSegmentError
            Scan, segment or name cannot be used; nothing was started.
        """
        from SATSegmentLib.gui.panel_task import PanelTask
        from SATSegmentLib.mrml.lesson import lesson

        examples = [(volumeNode, segmentationNode, segmentId)]
        work = lesson(sharedEngine(), examples, name, options, modality, "RAS")
        return PanelTask(work, onDone or (lambda word, error: None), listener)

    @staticmethod
    def useServer(url: str, tokenFile: str = "", caFile: str = "") -> None:
        """Have later runs go to a server, or ("") to this computer; its token comes from a file or SATSEGMENT_TOKEN."""
        from SATSegmentLib.setup.shared_engine import shared_engine

        shared_engine.use(url, tokenFile, caFile)

    def _write(self, run, answer):
        output = run.write(answer)
        self.results, self.written = output.results, output.written
        return output


def sharedEngine():
    """The one engine of this Slicer: started at the first run, and kept so that the model stays loaded."""
    from SATSegmentLib.setup.shared_engine import shared_engine

    return shared_engine.get(childPython)


def closeEngine() -> None:
    """End the engine, if there is one; a later run starts another, on this computer unless it is told otherwise."""
    from SATSegmentLib.setup.shared_engine import shared_engine

    shared_engine.close()
    shared_engine.use("")


def childPython() -> tuple[str, dict[str, str]]:
    """The Python that runs the network, and its environment."""
    from SATSegmentLib.setup.child_python import python_and_environment

    return python_and_environment()


def selfTest(requireRun: bool = False) -> bool:
    """Run all of `SATSegmentTest`; whether it passed. With `requireRun` no step is skipped where PyTorch is missing."""
    import unittest

    from SATSegmentLib.gui.self_test.acceptance import REQUIRE_VARIABLE

    if requireRun:
        os.environ[REQUIRE_VARIABLE] = "1"
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(SATSegmentTest)
    return unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful()


def selfTestAndExit(requireRun: bool = False) -> None:
    """Run the self test and end Slicer, with exit code 0 where it passed and 1 where it did not."""
    code = 1
    try:
        code = 0 if selfTest(requireRun) else 1
    finally:
        slicer.util.exit(code)


class SATSegmentTest(ScriptedLoadableModuleTest):
    """Self test inside Slicer, on its own widgets; see Docs/slicer.md. Without PyTorch its runs are skipped."""

    @staticmethod
    def story():
        """The steps of the long test; another scan and model can be put here."""
        from SATSegmentLib.gui.self_test.acceptance import Acceptance

        return Acceptance()

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """What Slicer's button "Reload and Test" calls."""
        self.assertTrue(selfTest())  # noqa: PT009 - Slicer's tests are unittest's

    def test_pythonQtAnswersAsThePanelNeedsIt(self) -> None:
        from SATSegmentLib.gui.self_test.doubts import CHECKS

        for check in CHECKS:
            with self.subTest(check.__name__):
                check()

    def test_thePanelFromTypingToReload(self) -> None:
        story = self.story()
        self.addCleanup(story.close)
        if skipped := story.play():
            self.skipTest(skipped)

    def test_unknownNameIsRefused(self) -> None:
        from SATSegmentLib.anatomy.resolver.names import prompts_for
        from SATSegmentLib.errors import PromptError

        with self.assertRaises(PromptError):  # noqa: PT027 - Slicer's tests are unittest's
            prompts_for(["left hippocampus", "no such organ"], "mri")

    def test_missingVolumeIsRefused(self) -> None:
        from SATSegmentLib.errors import ScanError

        with self.assertRaises(ScanError):  # noqa: PT027
            SATSegmentLogic().segment(None, ["left putamen"], modality="mri")

    def test_segmentsLieInTheVolumesGrid(self) -> None:
        from SATSegmentLib.gui.self_test.masks import segmentsLieInTheVolumesGrid

        segmentsLieInTheVolumesGrid()
