"""First visit: what is missing is said in one line, and one button mends it. Nothing is fetched unasked."""

from __future__ import annotations

import importlib.metadata
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from gui.panel_rig import PanelInRig, addHead
from models.hub_server import Hub
from models.released_files import NANO, hub_with, write_released_files
from rig.file_dialog import QFileDialog
from rig.hands import click, settle, waitFor

from SATSegmentLib.models import install as weights


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_released_files(tmp_path_factory.mktemp("released"))


@pytest.fixture
def hub(released: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = hub_with(released)
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    yield hub
    hub.close()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setitem(weights._SIZES, "sat-nano", weights.Sizes(1e6, 1e6))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    qt.QSettings().setValue("SATSegment/model", "sat-nano")
    return tmp_path / "models"


@pytest.fixture
def rig(scene: Any, hub: Hub) -> Iterator[PanelInRig]:
    addHead(scene)
    rig = PanelInRig()
    yield rig
    rig.cleanup()


def waitForSetup(rig: PanelInRig) -> None:
    waitFor(lambda: not rig.panel.setup.isBusy, 120, "the set-up")
    settle()


def test_without_pytorch_one_line_says_so_and_the_panel_still_opens(
    scene: Any, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = importlib.metadata.version

    def look(name: str) -> str:
        if name in ("torch", "platformdirs"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", look)
    # What comes with neither Slicer nor this module cannot be imported then.
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    monkeypatch.delitem(sys.modules, "SATSegmentLib.models.catalog")
    addHead(scene)
    rig = PanelInRig()
    assert "PyTorch is not installed" in rig.ui.setupLabel.text
    assert rig.ui.setupButton.text == "Install"
    assert rig.ui.runButton.isHidden()
    click(rig.ui.setupButton)
    assert "Extensions Manager" in rig.ui.errorLabel.text
    rig.cleanup()


def test_the_install_button_mends_it(rig: PanelInRig, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {"torch"}
    version = importlib.metadata.version

    def look(name: str) -> str:
        if name in gone:
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    def installTorch(**_: Any) -> object:
        gone.clear()
        return object()

    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = lambda: types.SimpleNamespace(installTorch=installTorch)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    monkeypatch.setattr(importlib.metadata, "version", look)
    rig.panel.setup.refresh()
    assert "PyTorch" in rig.ui.setupLabel.text
    click(rig.ui.setupButton)
    assert rig.ui.errorFrame.isHidden()
    assert "PyTorch is not installed" not in rig.ui.setupLabel.text


def test_the_download_needs_the_consent_box_and_then_everything_is_ready(rig: PanelInRig, hub: Hub) -> None:
    assert "no licence" in rig.ui.setupLabel.text
    assert "GB" in rig.ui.setupLabel.text
    assert not rig.ui.setupButton.enabled
    assert rig.ui.runButton.isHidden()
    click(rig.ui.setupButton)
    assert hub.requests == []
    hub.bytes_per_second = 2e6
    rig.panel.setup.consentBox.click()
    click(rig.ui.setupButton)
    waitFor(lambda: "/s" in rig.ui.setupLabel.text, 60)
    assert rig.ui.setupButton.text == "Cancel"
    waitForSetup(rig)
    assert rig.ui.errorFrame.isHidden(), rig.ui.errorLabel.text
    assert NANO.installed
    assert rig.ui.setupFrame.isHidden()
    assert not rig.ui.runButton.isHidden()
    assert "not installed" not in rig.ui.modelComboBox.currentText


def test_a_cancelled_download_can_be_taken_up_again(rig: PanelInRig, hub: Hub) -> None:
    hub.bytes_per_second = 400_000
    rig.panel.setup.consentBox.click()
    click(rig.ui.setupButton)
    waitFor(lambda: "/s" in rig.ui.setupLabel.text, 60)
    click(rig.ui.setupButton)
    waitForSetup(rig)
    assert rig.ui.errorFrame.isHidden()
    assert "already downloaded" in rig.ui.setupLabel.text
    assert rig.ui.setupButton.text == "Continue the download"


def test_a_failed_download_says_what_to_do(rig: PanelInRig, hub: Hub) -> None:
    hub.corrupt = True
    rig.panel.setup.consentBox.click()
    click(rig.ui.setupButton)
    waitForSetup(rig)
    assert not rig.ui.errorFrame.isHidden()
    assert "checksum" in rig.ui.errorLabel.text
    assert not NANO.installed


@pytest.mark.long
def test_a_folder_can_be_imported_and_the_model_deleted(
    rig: PanelInRig, hub: Hub, released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "answers", ["", str(released)])
    click(rig.panel.setup.importButton)
    assert not rig.panel.setup.isBusy, "the dialog was cancelled"
    click(rig.panel.setup.importButton)
    waitForSetup(rig)
    assert NANO.installed
    assert hub.requests == []
    asked = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, *_, **__: asked.append(text))
    rig.panel.setup.deleteButton.click()
    assert NANO.installed, "the user did not confirm"
    assert "SAT-Nano" in asked[0]
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda *_, **__: True)
    rig.panel.setup.deleteButton.click()
    settle()
    assert not NANO.installed
    assert not rig.ui.setupFrame.isHidden()


def test_the_device_check_names_what_it_ran_on(rig: PanelInRig) -> None:
    rig.panel.setup.checkButton.click()
    waitForSetup(rig)
    assert "cpu: CPU" in rig.panel.setup.deviceLabel.text
    assert "Working." in rig.panel.setup.deviceLabel.text
