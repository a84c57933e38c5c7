"""The model is loaded while the user chooses; a run that comes early says what it waits for."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
from gui.panel_rig import PanelInRig, addHead, loadModule
from rig.hands import click, settle, waitFor

from helpers.small_model import makeModel
from SATSegmentLib.engine.api import RunListener, RunOptions
from SATSegmentLib.engine.process import WorkerEngine
from SATSegmentLib.errors import Cancelled
from SATSegmentLib.models.catalog import find_model


@pytest.fixture
def model(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    qt.QSettings().setValue("SATSegment/model", str(makeModel(tmp_path / "models")))
    qt.QSettings().setValue("SATSegment/loadAhead", True)


@pytest.fixture
def rig(model: None) -> Iterator[PanelInRig]:
    rig = PanelInRig()
    yield rig
    rig.cleanup()


def prepared(rig: PanelInRig) -> bool:
    """Whether the engine's process has loaded a model."""
    return any("ready" in line for line in rig.module.sharedEngine().log)


def test_the_panel_starts_the_engine_and_the_first_run_finds_the_model_loaded(scene: Any, rig: PanelInRig) -> None:
    waitFor(lambda: prepared(rig), 120, "the model")
    pid = rig.module.sharedEngine().pid
    rig.ui.inputSelector.setCurrentNode(addHead(scene, "Head"))
    rig.ask("left hippocampus")
    said: list[str] = []
    rig.panel.run.progressed.connect(lambda progress: said.append(progress.stage))
    rig.panel.run.run()
    rig.waitForEnd()
    assert "found" in rig.panel.run.told
    assert "loading the model" not in said
    assert rig.module.sharedEngine().pid == pid
    assert sum("ready" in line for line in rig.module.sharedEngine().log) == 1


def test_an_engine_that_has_ended_is_started_again_when_a_scan_is_chosen(scene: Any, rig: PanelInRig) -> None:
    engine = rig.module.sharedEngine()
    waitFor(lambda: engine.pid is not None, 30, "the engine")
    engine.close()
    rig.ui.inputSelector.setCurrentNode(addHead(scene, "Head"))
    waitFor(lambda: engine.pid is not None, 30, "the engine")


def test_a_run_that_comes_early_waits_its_turn_and_says_for_what(scene: Any, rig: PanelInRig) -> None:
    rig.ui.inputSelector.setCurrentNode(addHead(scene, "Head"))
    rig.ask("left hippocampus")
    said: list[str] = []
    rig.panel.run.progressed.connect(lambda progress: said.append(progress.stage))
    rig.panel.run.run()
    rig.waitForEnd(120)
    assert "found" in rig.panel.run.told
    assert said[0] == "loading the model"


def test_it_can_be_switched_off(model: None) -> None:
    rig = PanelInRig()
    waitFor(lambda: rig.module.sharedEngine().pid is not None, 30, "the engine")
    click(rig.ui.loadAheadCheckBox)
    rig.cleanup()
    again = PanelInRig()
    settle()
    assert not again.ui.loadAheadCheckBox.checked
    assert again.module.sharedEngine().pid is None
    again.cleanup()


def test_nothing_is_started_before_the_panel_is_opened(model: None) -> None:
    module = loadModule()
    widget = module.SATSegmentWidget()
    widget.setup()
    settle()
    assert module.sharedEngine().pid is None
    widget.cleanup()


@pytest.fixture
def asked(model: None, monkeypatch: pytest.MonkeyPatch) -> list[RunOptions]:
    """What the panel asks the engine to load; no process is started."""
    asked: list[RunOptions] = []
    monkeypatch.setattr(WorkerEngine, "load_ahead", lambda self, options: asked.append(options))
    return asked


def choose(comboBox: Any, data: str) -> None:
    comboBox.setCurrentIndex(comboBox.findData(data))
    settle()


def test_another_device_precision_or_storage_is_another_model_to_load(asked: list[RunOptions]) -> None:
    rig = PanelInRig()
    choose(rig.ui.precisionComboBox, "bfloat16")
    choose(rig.ui.deviceComboBox, "cpu")
    choose(rig.ui.featureStorageComboBox, "uint8")
    choose(rig.ui.windowsComboBox, "adaptive")  # the same model's
    assert [(one.device, one.precision, one.feature_storage) for one in asked] == [
        ("auto", "auto", "native"),
        ("auto", "bfloat16", "native"),
        ("cpu", "bfloat16", "native"),
        ("cpu", "bfloat16", "uint8"),
    ]
    rig.cleanup()


def test_a_scan_that_another_module_loads_does_not_load_the_model(scene: Any, asked: list[RunOptions]) -> None:
    rig = PanelInRig()
    rig.moduleWidget.exit()
    asked.clear()
    rig.ui.inputSelector.setCurrentNode(addHead(scene, "Head"))
    settle()
    assert asked == []
    rig.moduleWidget.enter()
    settle()
    assert len(asked) == 1
    rig.cleanup()


def test_after_a_cancel_the_engine_is_made_ready_again(
    scene: Any, asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancelled(self: WorkerEngine, request: Any, listener: RunListener) -> None:
        while not listener.cancel():
            time.sleep(0.01)
        raise Cancelled

    monkeypatch.setattr(WorkerEngine, "segment", cancelled)
    rig = PanelInRig()
    rig.ui.inputSelector.setCurrentNode(addHead(scene, "Head"))
    rig.ask("left hippocampus")
    rig.panel.run.run()
    asked.clear()
    click(rig.ui.runButton)
    rig.waitForEnd()
    assert len(asked) == 1
    rig.cleanup()


def test_a_model_that_goes_while_the_panel_is_open_is_said_to_be_gone_with_the_next_step(
    scene: Any, asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WorkerEngine, "segment", lambda self, request, listener: find_model(request.options.model))
    rig = PanelInRig()
    rig.ui.inputSelector.setCurrentNode(addHead(scene, "Head"))
    rig.ask("left hippocampus")
    shutil.rmtree(rig.panel.settings.modelFolder)
    rig.panel.run.run()
    rig.waitForEnd()
    assert "Choose another model in Settings" in rig.panel.run.told
    assert "satsegment" not in rig.panel.run.told
    assert "(not installed)" in rig.ui.modelComboBox.currentText
    assert "Choose another one in Settings" in rig.ui.setupLabel.text
    asked.clear()
    rig.ui.inputSelector.setCurrentNode(addHead(scene, "Other"))
    settle()
    assert asked == []
    rig.cleanup()


def test_the_engine_ends_with_the_last_panel_and_not_with_the_first(
    asked: list[RunOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = PanelInRig()
    closed: list[bool] = []
    monkeypatch.setattr(first.module, "closeEngine", lambda: closed.append(True))
    second = PanelInRig(first.module)
    second.cleanup()
    assert closed == []
    first.cleanup()
    assert closed == [True]
