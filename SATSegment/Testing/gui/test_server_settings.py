"""The panel on a server: chosen in Settings, tried with a button, agreed to before the first scan is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer

pytest.importorskip("fastapi")

from gui.panel_rig import PanelInRig, addHead, segmentNames
from rig.hands import settle, waitFor

from helpers.local_server import ALICE, server_here
from helpers.small_model import makeModel
from SATSegmentLib.setup import packages


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from SATSegmentLib.server.app import create_app
    from SATSegmentLib.server.service import ServerOptions, Service
    from SATSegmentLib.server.tokens import Tokens

    makeModel(tmp_path)
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # What is tried here must not depend on what this computer has.
    monkeypatch.setattr(packages, "missing", lambda purpose: ["torch>=2.4"])
    with server_here(create_app(Service(ServerOptions(("cpu",))), Tokens({ALICE: "alice"}))) as address:
        yield address


def choose(rig: PanelInRig, url: str, tokenFile: Path) -> Any:
    server = rig.panel.settings.server
    rig.ui.settingsCollapsibleButton.collapsed = False
    server.whereComboBox.setCurrentIndex(1)
    for edit, text in ((server.urlEdit, url), (server.tokenFileEdit, str(tokenFile))):
        edit.setText(text)
        edit.editingFinished.emit()
    settle()
    return server


def test_a_scan_is_segmented_on_a_server_without_pytorch_here(
    scene: Any, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = [False, True]
    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda text, *_: bool(asked.append(text) or answers.pop(0))
    )
    token = tmp_path / "token"
    token.write_text(ALICE)
    rig = PanelInRig()
    assert not rig.panel.setup.isReady
    node = addHead(scene)
    rig.ui.inputSelector.setCurrentNode(node)
    rig.ui.modalityComboBox.setCurrentIndex(1)
    combo = rig.ui.modelComboBox
    combo.setCurrentIndex(max(combo.findData(str(tmp_path / "tiny")), 0))
    server = choose(rig, url, token)
    assert rig.panel.setup.isReady
    server.testButton.click()
    waitFor(lambda: "Working." in server.testLabel.text or "not" in server.testLabel.text, 20, "the answer")
    assert "tiny" in server.testLabel.text
    rig.ask("left hippocampus")
    rig.panel.run.run()
    settle()
    assert url in asked[0]
    assert "not sent" in asked[0]
    assert rig.ui.outputSelector.currentNode() is None  # it was declined
    rig.panel.run.run()
    rig.waitForEnd()
    assert len(asked) == 2
    assert "left hippocampus" in segmentNames(rig.panel.resultsPanel.node).values()
    rig.panel.run.run()
    rig.waitForEnd()
    assert len(asked) == 2  # agreed once
    rig.cleanup()
    assert qt.QSettings().value("SATSegment/runOn") == "server"


def test_the_list_of_models_is_the_servers_while_runs_go_there(scene: Any, url: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(ALICE)
    rig = PanelInRig()
    settings, combo = rig.panel.settings, rig.ui.modelComboBox
    here = settings.model
    server = choose(rig, url, token)
    waitFor(lambda: server.models, 20, "what the server offers, without the button")
    assert [combo.itemData(n) for n in range(combo.count)] == server.models == ["demo", "tiny"]
    assert [rig.ui.deviceComboBox.itemData(n) for n in range(rig.ui.deviceComboBox.count)] == ["auto", "cpu"]
    assert not rig.panel.setup.deleteButton.enabled
    assert not rig.panel.setup.checkButton.enabled
    combo.setCurrentIndex(combo.findData("tiny"))
    assert settings.options.model == "tiny"
    assert rig.panel.setup.isReady
    # One that the server does not have stays in sight, and is not replaced in silence.
    qt.QSettings().setValue("SATSegment/serverModel", "sat-pro")
    settings.refreshModels()
    rig.panel.setup.refresh()
    assert settings.model == "sat-pro"
    assert "not on the server" in combo.currentText
    assert not rig.panel.setup.isReady
    assert "no model SAT-Pro" in rig.ui.setupLabel.text
    server.whereComboBox.setCurrentIndex(0)
    settle()
    assert settings.model == here
    assert combo.count > 2
    rig.cleanup()


def test_another_place_for_runs_and_a_reload_let_the_server_go_at_once(scene: Any, url: str, tmp_path: Path) -> None:
    from SATSegmentLib.setup.shared_engine import shared_engine

    rig = PanelInRig()
    server = choose(rig, url, tmp_path / "token")
    shared_engine.use(url)
    server.whereComboBox.setCurrentIndex(0)
    assert shared_engine._server[0] == ""
    shared_engine.use(url)
    rig.module.closeEngine()
    assert shared_engine._server[0] == ""
    rig.cleanup()


def test_a_wrong_token_and_a_missing_server_are_said_in_settings(scene: Any, url: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("wrong-token-0123456789")
    rig = PanelInRig()
    server = choose(rig, url, token)
    for address, words in ((url, "does not know your token"), ("http://127.0.0.1:9", "cannot be reached")):
        choose(rig, address, token)
        server.testButton.click()
        waitFor(lambda words=words: words in server.testLabel.text, 20, "the answer")
    server.whereComboBox.setCurrentIndex(0)
    settle()
    assert not server.testButton.isVisible()
    assert server.url == ""
    rig.cleanup()
