"""The folded section "Settings": what the machine runs with, kept in Slicer's settings and not in the scene."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from SATSegmentLib.anatomy.languages.display import TITLES
from SATSegmentLib.engine.api import RunOptions
from SATSegmentLib.gui.language import chooseLanguage, chosenLanguage
from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.gui.server_settings import ServerSettings
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.gui.stored_settings import readSetting, writeSetting
from SATSegmentLib.types import DEFAULT_OVERLAP, FeatureStorage, WindowRule

_MODELS_VARIABLE = "SATSEGMENT_MODELS"
_GIGABYTE = 1e9
_DEFAULT_CACHE_GB = 8.0
_DEFAULT_MODEL = "demo"
_OVERLAPS = (DEFAULT_OVERLAP, 0.25, 0.125)
# Settings of what is chosen on a server; what is chosen for this computer stays as it is meanwhile.
_MODEL_THERE, _DEVICE_THERE = "serverModel", "serverDevice"


def _devices() -> list[tuple[str, str]]:
    entries = [(_("Automatic"), "auto"), (_("GPU (CUDA)"), "cuda"), (_("CPU"), "cpu")]
    if sys.platform == "darwin":
        entries.insert(2, (_("Apple GPU"), "mps"))
    return entries


class SettingsPanel:
    """Model, device, precision, memory for features, folder of the weights, language of the names.

    Signals
    -------
    changed(): another model or folder of models, or another device, precision or storage of features for it.

    Parameters
    ----------
    ui : Any
        The panel's widgets by name.
    """

    def __init__(self, ui: Any) -> None:
        self.changed = Signal()
        self._ui = ui
        self._connections = Connections()
        # A folder that the site has set is not the user's to change.
        self._siteFolder = os.environ.get(_MODELS_VARIABLE, "") if not _ownFolder() else ""
        self.server = ServerSettings(ui)
        self._fill()
        self._connect()
        self.refreshModels()

    @property
    def model(self) -> str:
        """Name or folder of the chosen model; on a server, its name there."""
        return str(self._ui.modelComboBox.currentData or "")

    @property
    def modelFolder(self) -> str:
        """Its folder. The worker gets this and not the name: it may have started before the folder was chosen."""
        return str(self.entry.folder) if self.entry is not None else self.model

    @property
    def modelTitle(self) -> str:
        entry = self.entry
        return entry.title if entry is not None else Path(self.model).name

    @property
    def modelShortName(self) -> str:
        """For narrow places: "SAT-Pro", "demo"."""
        entry = self.entry
        return entry.title if entry is not None and not entry.embedded else Path(self.model).name

    @property
    def entry(self) -> Any:
        """The chosen model's `CatalogEntry`; None for one that was converted here under another name."""
        return next((entry for entry in _catalog() if entry.name == self.model), None)

    @property
    def options(self) -> RunOptions:
        """How a run is done, as it is set here."""
        return RunOptions(
            self.model if self.server.isChosen else self.modelFolder,
            self.device,
            self.precision,
            self.featureStorage,
            cache_bytes=self.cacheBytes,
            windows=self.windows,
            overlap=self.overlap,
        )

    @property
    def labels(self) -> ModelLabels:
        """What the chosen model can be asked for; anything where it is a server's, who says it when it is asked."""
        return ANY_LABEL if self.server.isChosen else ModelLabels.of(self.modelFolder, self.modelTitle)

    @property
    def isOffered(self) -> bool:
        """Whether the chosen server has the chosen model, as far as it has said what it has."""
        return not self.server.models or self.model in self.server.models

    @property
    def modelSha256(self) -> str:
        """Of the checkpoint that the chosen model was made from; empty where that cannot be told."""
        from SATSegmentLib.models.catalog import checksum_of

        return checksum_of(self.modelFolder)

    @property
    def device(self) -> str:
        return str(self._ui.deviceComboBox.currentData or "auto")

    @property
    def precision(self) -> str:
        return str(self._ui.precisionComboBox.currentData or "auto")

    @property
    def featureStorage(self) -> FeatureStorage:
        return "uint8" if self._ui.featureStorageComboBox.currentData == "uint8" else "native"

    @property
    def windows(self) -> WindowRule:
        return "adaptive" if self._ui.windowsComboBox.currentData == "adaptive" else "all"

    @property
    def overlap(self) -> float:
        return float(self._ui.overlapComboBox.currentData or DEFAULT_OVERLAP)

    @property
    def cacheBytes(self) -> int:
        return int(self._ui.cacheSpinBox.value * _GIGABYTE)

    def chooseDevice(self, device: str) -> None:
        self._choose(self._ui.deviceComboBox, device)

    def refreshModels(self) -> None:
        """Read again which models there are: here, or on the server."""
        onServer = self.server.isChosen
        wanted = readSetting(_MODEL_THERE if onServer else "model", "") or readSetting("model", "") or _DEFAULT_MODEL
        combo = self._ui.modelComboBox
        combo.blockSignals(True)
        combo.clear()
        if onServer:
            self._fillFromServer(Path(wanted).name)
        else:
            self._fillFromHere(wanted)
        combo.blockSignals(False)
        self._sayHeader()

    def _fillFromHere(self, wanted: str) -> None:
        combo = self._ui.modelComboBox
        for entry in _catalog():
            title = entry.title if entry.installed else _("{model} (not installed)").format(model=entry.title)
            combo.addItem(title, entry.name)
            combo.setItemData(combo.count - 1, entry.about, qt.Qt.ToolTipRole)
        for folder in _others():
            combo.addItem(folder.name, str(folder))
        if combo.count and combo.findData(wanted) < 0:
            # Deleted, renamed, or on a disk that is not there: no other model takes its place unasked.
            name = Path(wanted).name
            isThere = os.path.isdir(wanted)  # elsewhere than among the models
            combo.addItem(name if isThere else _("{model} (not installed)").format(model=name), wanted)
        combo.setCurrentIndex(max(combo.findData(wanted), 0))

    def _fillFromServer(self, wanted: str) -> None:
        """The server's models; the one that was chosen stays in the list where it has none of that name."""
        combo, known = self._ui.modelComboBox, {entry.name: entry for entry in _catalog()}
        offered = self.server.models
        for name in offered:
            combo.addItem(known[name].title if name in known else name, name)
            if name in known:
                combo.setItemData(combo.count - 1, known[name].about, qt.Qt.ToolTipRole)
        if wanted not in offered:
            title = known[wanted].title if wanted in known else wanted
            combo.addItem(_("{model} (not on the server)").format(model=title) if offered else title, wanted)
        combo.setCurrentIndex(combo.findData(wanted))

    def _fillDevices(self) -> None:
        combo = self._ui.deviceComboBox
        onServer = self.server.isChosen
        entries = _devices()
        if onServer:
            entries = entries[:1] + [(name, name) for name in self.server.devices if name != "auto"]
        combo.blockSignals(True)
        combo.clear()
        wanted = readSetting(_DEVICE_THERE if onServer else "device", "auto")
        if wanted not in (value for _text, value in entries):
            # Not there, or the server has not said yet what it has: a run is refused, and not done elsewhere unasked.
            entries.append((wanted, wanted))
        for text, value in entries:
            combo.addItem(text, value)
        self._choose(combo, wanted)
        combo.blockSignals(False)

    def setBusy(self, busy: bool) -> None:
        """Disable what a running job was started with."""
        ui = self._ui
        ofModel = (ui.modelComboBox, ui.deviceComboBox, ui.precisionComboBox, ui.featureStorageComboBox)
        for widget in (*ofModel, ui.windowsComboBox, ui.overlapComboBox):
            widget.enabled = not busy
        self.server.setBusy(busy)

    def release(self) -> None:
        self.server.release()
        self._connections.release()
        self.changed.disconnectAll()

    def _fill(self) -> None:
        ui = self._ui
        self._fillDevices()
        for text, value in (
            (_("Automatic"), "auto"),
            ("float32", "float32"),
            ("bfloat16", "bfloat16"),
            ("float16", "float16"),
        ):
            ui.precisionComboBox.addItem(text, value)
        ui.featureStorageComboBox.addItem(_("As computed"), "native")
        ui.featureStorageComboBox.addItem(_("In 8 bits"), "uint8")
        ui.windowsComboBox.addItem(_("All"), "all")
        ui.windowsComboBox.addItem(_("Adaptive: faster for single organs"), "adaptive")
        for share in _OVERLAPS:
            text = _("{percent} %, as SAT itself") if share == DEFAULT_OVERLAP else _("{percent} %")
            ui.overlapComboBox.addItem(text.format(percent=f"{100 * share:g}"), str(share))
        self._choose(ui.precisionComboBox, readSetting("precision", "auto"))
        self._choose(ui.featureStorageComboBox, readSetting("featureStorage", "native"))
        self._choose(ui.windowsComboBox, readSetting("windows", "all"))
        self._choose(ui.overlapComboBox, readSetting("overlap", str(DEFAULT_OVERLAP)))
        ui.languageComboBox.addItem(_("As Slicer"), "")
        for language, title in TITLES.items():
            ui.languageComboBox.addItem(title, language)
        self._choose(ui.languageComboBox, chosenLanguage())
        ui.cacheSpinBox.setValue(float(readSetting("cacheGB", _DEFAULT_CACHE_GB)))
        if not self._siteFolder:
            folder = readSetting("modelsFolder", "")
            if folder:
                _useFolder(folder)
        ui.weightsFolderEdit.setCurrentPath(_home())
        ui.weightsFolderEdit.enabled = not self._siteFolder
        if self._siteFolder:
            ui.weightsFolderEdit.setToolTip(_("Set for this site by SATSEGMENT_MODELS."))

    def _connect(self) -> None:
        ui, connect = self._ui, self._connections.connect
        connect(ui.modelComboBox, "currentIndexChanged(int)", self._onModel)
        connect(ui.deviceComboBox, "currentIndexChanged(int)", self._onDevice)
        connect(ui.precisionComboBox, "currentIndexChanged(int)", self._onPrecision)
        connect(ui.featureStorageComboBox, "currentIndexChanged(int)", self._onFeatureStorage)
        connect(ui.windowsComboBox, "currentIndexChanged(int)", self._onWindows)
        connect(ui.overlapComboBox, "currentIndexChanged(int)", self._onWindows)
        connect(ui.languageComboBox, "currentIndexChanged(int)", self._onLanguage)
        connect(ui.cacheSpinBox, "valueChanged(double)", self._onCache)
        connect(ui.weightsFolderEdit, "currentPathChanged(QString)", self._onFolder)
        self.server.changed.connect(self._onServer)

    @staticmethod
    def _choose(combo: Any, value: str) -> None:
        combo.setCurrentIndex(max(combo.findData(value), 0))

    def _onServer(self) -> None:
        self._fillDevices()
        self.refreshModels()
        self.changed.emit()

    def _onModel(self, index: int) -> None:
        writeSetting(_MODEL_THERE if self.server.isChosen else "model", self.model)
        self._sayHeader()
        self.changed.emit()

    def _onDevice(self, index: int) -> None:
        writeSetting(_DEVICE_THERE if self.server.isChosen else "device", self.device)
        self._sayHeader()
        self.changed.emit()

    def _onPrecision(self, index: int) -> None:
        writeSetting("precision", self.precision)
        self.changed.emit()

    def _onFeatureStorage(self, index: int) -> None:
        writeSetting("featureStorage", self.featureStorage)
        self.changed.emit()

    def _onWindows(self, index: int) -> None:
        writeSetting("windows", self.windows)
        writeSetting("overlap", str(self.overlap))

    def _onLanguage(self, index: int) -> None:
        chooseLanguage(str(self._ui.languageComboBox.currentData or ""))

    def _onCache(self, value: float) -> None:
        writeSetting("cacheGB", value)
        self._sayHeader()

    def _onFolder(self, path: str) -> None:
        if self._siteFolder or not os.path.isabs(path) or path == _home():
            return
        writeSetting("modelsFolder", path)
        _useFolder(path)
        self.refreshModels()
        self.changed.emit()

    def _sayHeader(self) -> None:
        self._ui.settingsCollapsibleButton.text = _("Settings   model {model} · cache {cache:.0f} GB").format(
            model=self.modelShortName, cache=self._ui.cacheSpinBox.value
        )


# What this module has put into the environment itself, so that a reload does not take it for the site's.
_MARK = "SATSEGMENT_MODELS_CHOSEN_IN_SLICER"


def _ownFolder() -> bool:
    return os.environ.get(_MARK) == os.environ.get(_MODELS_VARIABLE) and _MARK in os.environ


def _useFolder(path: str) -> None:
    os.environ[_MODELS_VARIABLE] = os.environ[_MARK] = path


def _home() -> str:
    """The folder of models; empty as long as the package that knows it is not installed."""
    try:
        from SATSegmentLib.models.catalog import models_home
    except ModuleNotFoundError:
        return ""
    return str(models_home())


def _catalog() -> Any:
    """The known models that the panel can run; none as long as packages are missing that the set-up asks for first."""
    try:
        from SATSegmentLib.models.catalog import catalog
        from SATSegmentLib.models.folder import FAMILY
    except ModuleNotFoundError:
        return ()
    return tuple(entry for entry in catalog() if entry.family == FAMILY)


def _others() -> list[Path]:
    if not _catalog():
        return []
    from SATSegmentLib.models.catalog import catalog, installed_models
    from SATSegmentLib.models.folder import FAMILY

    known = {entry.folder for entry in catalog()}
    return [folder for folder in installed_models(FAMILY) if folder not in known]
