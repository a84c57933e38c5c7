"""Settings are the machine's: kept between sessions, not in the scene; a site's folder is not the user's to change."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import qt
from gui.panel_rig import PanelInRig
from rig.hands import settle

from helpers.small_model import makeModel
from SATSegmentLib.anatomy.languages.display import TITLES
from SATSegmentLib.gui import settings_panel
from SATSegmentLib.gui.language import SETTING, userLanguage


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SATSEGMENT_MODELS", settings_panel._MARK):
        monkeypatch.setenv(name, "x")  # so that what the panel sets is taken back after the test
        monkeypatch.delenv(name)


def open_panel() -> PanelInRig:
    return PanelInRig()


def test_what_was_chosen_is_there_in_the_next_session(scene: Any, tmp_path: Path) -> None:
    makeModel(tmp_path)
    rig = open_panel()
    ui = rig.ui
    ui.weightsFolderEdit.setCurrentPath(str(tmp_path))
    settle()
    ui.modelComboBox.setCurrentIndex(ui.modelComboBox.findData(str(tmp_path / "tiny")))
    ui.deviceComboBox.setCurrentIndex(ui.deviceComboBox.findData("cpu"))
    ui.precisionComboBox.setCurrentIndex(ui.precisionComboBox.findData("bfloat16"))
    ui.featureStorageComboBox.setCurrentIndex(ui.featureStorageComboBox.findData("uint8"))
    ui.windowsComboBox.setCurrentIndex(ui.windowsComboBox.findData("adaptive"))
    ui.overlapComboBox.setCurrentIndex(ui.overlapComboBox.findData("0.25"))
    ui.cacheSpinBox.setValue(3.5)
    rig.cleanup()
    qt.QSettings().sync()
    for name in ("SATSEGMENT_MODELS", settings_panel._MARK):
        os.environ.pop(name)
    rig = open_panel()
    settings = rig.panel.settings
    assert settings.model == str(tmp_path / "tiny")
    assert (settings.device, settings.precision, settings.cacheBytes) == ("cpu", "bfloat16", 3_500_000_000)
    assert settings.options.feature_storage == "uint8"
    assert (settings.options.windows, settings.options.overlap) == ("adaptive", 0.25)
    assert os.environ["SATSEGMENT_MODELS"] == str(tmp_path)
    assert "tiny" in rig.ui.settingsCollapsibleButton.text
    rig.cleanup()


def test_a_first_visit_has_the_demo_model_and_half_measures_nowhere(scene: Any) -> None:
    rig = open_panel()
    settings = rig.panel.settings
    assert settings.model == "demo"
    assert (settings.device, settings.precision, settings.featureStorage) == ("auto", "auto", "native")
    assert (settings.windows, settings.overlap) == ("all", 0.5)
    rig.cleanup()


def test_a_sites_folder_is_used_and_cannot_be_changed(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path))
    qt.QSettings().setValue("SATSegment/modelsFolder", "/somewhere/else")
    rig = open_panel()
    assert not rig.ui.weightsFolderEdit.enabled
    assert rig.ui.weightsFolderEdit.currentPath == str(tmp_path)
    assert os.environ["SATSEGMENT_MODELS"] == str(tmp_path)
    rig.cleanup()


def test_models_that_are_not_installed_are_shown_as_such(scene: Any, tmp_path: Path) -> None:
    rig = open_panel()
    rig.ui.weightsFolderEdit.setCurrentPath(str(tmp_path))
    combo = rig.ui.modelComboBox
    texts = {combo.itemData(number): combo.itemText(number) for number in range(combo.count)}
    assert "not installed" in texts["sat-nano"]
    assert "not installed" in texts["sat-pro"]
    rig.cleanup()


def test_the_language_of_names_is_slicers_until_another_is_chosen_and_then_kept(scene: Any) -> None:
    qt.QSettings().setValue("language", "de_DE")
    userLanguage.cache_clear()
    rig = open_panel()
    combo = rig.ui.languageComboBox
    assert (combo.currentIndex, combo.currentData, userLanguage()) == (0, "", "de")
    titles = [combo.itemText(number) for number in range(combo.count)]
    assert titles[1:] == list(TITLES.values())
    combo.setCurrentIndex(combo.findData("fr"))
    assert userLanguage() == "fr"
    rig.cleanup()
    userLanguage.cache_clear()
    rig = open_panel()
    assert (rig.ui.languageComboBox.currentData, userLanguage()) == ("fr", "fr")
    rig.ui.languageComboBox.setCurrentIndex(0)
    assert userLanguage() == "de"
    rig.cleanup()
    qt.QSettings().remove("language")
    qt.QSettings().remove(SETTING)
    userLanguage.cache_clear()


def test_a_chosen_model_that_is_away_stays_chosen_and_no_other_takes_its_place(scene: Any, tmp_path: Path) -> None:
    folder = makeModel(tmp_path)
    qt.QSettings().setValue("SATSegment/model", str(folder))
    away = folder.rename(tmp_path.parent / "away")
    rig = open_panel()
    assert rig.panel.settings.model == str(folder)
    assert rig.ui.modelComboBox.currentText == "tiny (not installed)"
    assert not rig.panel.setup.isReady
    assert "tiny is not installed. Choose another one in Settings." in rig.ui.setupLabel.text
    away.rename(folder)
    rig.moduleWidget.exit()
    rig.moduleWidget.enter()
    assert rig.panel.setup.isReady
    assert rig.ui.modelComboBox.currentText == "tiny"
    rig.cleanup()


@pytest.mark.parametrize(("place", "device"), [("device", "cuda:3"), ("serverDevice", "cuda:1")])
def test_a_chosen_device_that_is_not_there_is_not_exchanged_for_another(scene: Any, place: str, device: str) -> None:
    qt.QSettings().setValue(f"SATSegment/{place}", device)
    if place == "serverDevice":
        qt.QSettings().setValue("SATSegment/runOn", "server")
        qt.QSettings().setValue("SATSegment/serverUrl", "http://127.0.0.1:9")
    rig = open_panel()
    assert rig.panel.settings.device == device
    rig.cleanup()
