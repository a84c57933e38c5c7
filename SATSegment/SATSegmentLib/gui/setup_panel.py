"""What is missing before a run, and one button that mends it. Nothing is fetched unless the user says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SATSegmentLib.engine.api import RunListener
from SATSegmentLib.errors import Cancelled, SATSegmentError
from SATSegmentLib.gui.panel_task import PanelTask
from SATSegmentLib.gui.run_controller import clock
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.setup import packages
from SATSegmentLib.types import Progress

_TORCH_SIZE = "2.3 GB"


class SetupPanel:
    """The frame in place of the Segment button while something is missing, and the buttons under Settings.

    Signals
    -------
    ready(bool): whether a run is possible now.
    failed(error): something could not be installed; a `SATSegmentError`.
    logged(text): a line for the log.

    Parameters
    ----------
    ui : Any
        The panel's widgets by name.
    settings : Any
        The `SettingsPanel`.
    python : Callable[[], tuple[str, dict[str, str]]]
        Gives the interpreter and environment for child processes.
    """

    def __init__(self, ui: Any, settings: Any, python: Callable[[], tuple[str, dict[str, str]]]) -> None:
        self.ready, self.failed, self.logged = Signal(), Signal(), Signal()
        self._ui, self._settings, self._python = ui, settings, python
        self._connections = Connections()
        self._task: PanelTask | None = None
        # Whether packages and the chosen model are there, as `refresh` found it.
        self.isReady = False
        self._build()
        settings.changed.connect(self.refresh)
        self.refresh()

    @property
    def isBusy(self) -> bool:
        return self._task is not None

    def refresh(self) -> None:
        """Look again at what is missing."""
        if self.isBusy:
            return
        ui, entry = self._ui, self._settings.entry
        onServer = self._settings.server.isChosen
        missing = [] if onServer else packages.missing("run")
        server = self._settings.server
        isThere = bool(server.url) and self._settings.isOffered if onServer else self._modelIsThere()
        self.isReady = not missing and isThere
        downloadable = not onServer and not missing and not isThere and entry is not None and bool(entry.repository)
        ui.setupFrame.setVisible(not self.isReady)
        ui.setupProgressBar.hide()
        ui.setupButton.setVisible(bool(missing) or downloadable)
        self.consentBox.setVisible(downloadable)
        self.importButton.setVisible(downloadable)
        # Both are about this computer.
        self.deleteButton.enabled = not onServer and entry is not None and not entry.embedded and entry.installed
        self.checkButton.enabled = not onServer
        if missing:
            self._sayPackages(missing)
        elif downloadable:
            self._sayDownload(entry)
        elif not self.isReady and onServer and not server.url:
            ui.setupLabel.text = _("The server has no address yet. Write it in Settings.")
        elif not self.isReady and onServer:
            ui.setupLabel.text = _("The server has no model {model}. Choose another one in Settings.").format(
                model=self._settings.modelTitle
            )
        elif not self.isReady:
            ui.setupLabel.text = _("Model {model} is not installed. Choose another one in Settings.").format(
                model=self._settings.modelTitle
            )
        self.ready.emit(self.isReady)

    def release(self) -> None:
        """Stop what is going on and let go of all connections. A download can be taken up again."""
        if self._task is not None:
            self._task.abandon()
            self._task = None
        self._connections.release()
        for signal in (self.ready, self.failed, self.logged):
            signal.disconnectAll()

    # --- how it looks

    def _build(self) -> None:
        ui = self._ui
        self.consentBox = qt.QCheckBox(_("I have read this"), ui.setupFrame)
        self.importButton = qt.QPushButton(_("Import from a folder…"), ui.setupFrame)
        self.importButton.setToolTip(
            _("Take the released files, or a model that another machine has converted, from a folder. No network.")
        )
        setupLayout = ui.setupFrame.layout()
        setupLayout.addWidget(self.consentBox, 1, 0, 1, 2)
        setupLayout.addWidget(self.importButton, 3, 0, 1, 2)
        holder = ui.weightsPlaceholder
        row = qt.QHBoxLayout()
        holder.layout().addLayout(row)
        self.checkButton = qt.QPushButton(_("Check the device"), holder)
        self.checkButton.setToolTip(_("Runs a small computation on the chosen device and says which it is."))
        self.deleteButton = qt.QPushButton(_("Delete the model"), holder)
        self.deleteButton.setToolTip(_("Removes the chosen model's weights from this computer."))
        row.addWidget(self.checkButton)
        row.addWidget(self.deleteButton)
        self.deviceLabel = qt.QLabel("", holder)
        self.deviceLabel.setWordWrap(True)
        self.deviceLabel.hide()
        holder.layout().addWidget(self.deviceLabel)
        connect = self._connections.connect
        connect(ui.setupButton, "clicked()", self._onButton)
        connect(self.consentBox, "toggled(bool)", self._onConsent)
        connect(self.importButton, "clicked()", self._onImport)
        connect(self.checkButton, "clicked()", self._onCheck)
        connect(self.deleteButton, "clicked()", self._onDelete)

    def _sayPackages(self, missing: list[str]) -> None:
        ui = self._ui
        if packages.TORCH in missing:
            ui.setupLabel.text = _("PyTorch is not installed · {size}").format(size=_TORCH_SIZE)
        else:
            ui.setupLabel.text = _("Not installed: {packages}").format(packages=", ".join(missing))
        ui.setupButton.text = _("Install")
        ui.setupButton.enabled = True

    def _sayDownload(self, entry: Any) -> None:
        from SATSegmentLib.models import install as weights
        from SATSegmentLib.models.download import human_bytes

        ui, there = self._ui, weights.started_bytes(entry)
        text = weights.notice(entry)
        if there:
            text += "\n\n" + _("{size} already downloaded.").format(size=human_bytes(there))
        ui.setupLabel.text = text
        ui.setupButton.text = _("Continue the download") if there else _("Download")
        ui.setupButton.enabled = self.consentBox.checked

    def _modelIsThere(self) -> bool:
        entry = self._settings.entry
        if entry is not None:
            return entry.installed
        return bool(self._settings.model) and os.path.isdir(self._settings.model)

    # --- what it does

    def _onConsent(self, agreed: bool) -> None:
        if not self.isBusy:
            self._ui.setupButton.enabled = agreed

    def _onButton(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._ui.setupButton.enabled = False
            self._ui.setupLabel.text = _("Cancelling…")
        elif packages.missing("run"):
            self._install("run")
        else:
            self._download()

    def _install(self, purpose: packages.Purpose) -> bool:
        """Slicer's own installer asks, and shows what it does."""
        try:
            packages.install(purpose, lambda what: self.logged.emit(_("Installing {what}").format(what=what)))
        except SATSegmentError as error:
            self.failed.emit(error)
            return False
        finally:
            self._settings.refreshModels()
            self.refresh()
        return True

    def _download(self) -> None:
        entry, agreed = self._settings.entry, bool(self.consentBox.checked)
        if not agreed or (packages.missing("weights") and not self._install("weights")):
            return
        installer = self._installer()
        self._start(
            lambda listener: installer.download(
                entry, consent=agreed, progress=listener.progress, cancel=listener.cancel
            )
        )

    def _onImport(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self._ui.setupFrame, _("Folder with the weights"))
        if folder:
            self.importFolder(folder)

    def importFolder(self, folder: str) -> None:
        """Install the chosen model from a folder."""
        entry, installer = self._settings.entry, self._installer()
        if not list(Path(folder).rglob("model.json")) and packages.missing("weights") and not self._install("weights"):
            return
        self._start(
            lambda listener: installer.import_folder(
                entry, Path(folder), progress=listener.progress, cancel=listener.cancel
            )
        )

    def _onCheck(self) -> None:
        device, installer = self._settings.device, self._installer()
        self.deviceLabel.text = _("Trying…")
        self.deviceLabel.show()
        self._start(lambda listener: installer.check_device(device), self._onChecked)

    def _onChecked(self, found: dict[str, Any]) -> None:
        memory = found["memory_bytes"]
        size = f", {memory / 1e9:.1f} GB" if memory else ""
        self.deviceLabel.text = _("{device}: {name}{size}, PyTorch {torch}. Working.").format(size=size, **found)

    def _onDelete(self) -> None:
        from SATSegmentLib.models import install as weights

        if not slicer.util.confirmOkCancelDisplay(
            _(
                "{model} is removed from this computer. To use it again, it must be downloaded or imported again."
            ).format(model=self._settings.modelTitle)
        ):
            return
        try:
            weights.delete(self._settings.entry)
        except SATSegmentError as error:
            self.failed.emit(error)
        self.consentBox.checked = False
        self._settings.refreshModels()
        self.refresh()

    def _installer(self) -> Any:
        from SATSegmentLib.models.install import Installer
        from SATSegmentLib.setup.child_tasks import ChildTasks

        return Installer(ChildTasks(*self._python()))

    def _start(self, work: Callable[..., Any], onResult: Callable[[Any], None] | None = None) -> None:
        if self._task is not None:
            return

        def done(result: Any, error: BaseException | None) -> None:
            self._task = None
            for button in (self.checkButton, self.importButton, self.consentBox):
                button.enabled = True
            self._settings.refreshModels()
            self.refresh()
            if error is None:
                if onResult is not None:
                    onResult(result)
                return
            self.deviceLabel.hide()
            if not isinstance(error, Cancelled):
                self.failed.emit(error)

        ui = self._ui
        if onResult is None:
            ui.setupProgressBar.setValue(0)
            ui.setupProgressBar.show()
            ui.setupButton.text = _("Cancel")
            ui.setupButton.enabled = True
            ui.setupButton.show()
        for button in (self.checkButton, self.importButton, self.consentBox):
            button.enabled = False
        self._task = PanelTask(work, done, RunListener(progress=self._onProgress))

    def _onProgress(self, progress: Progress) -> None:
        self._ui.setupProgressBar.setValue(round(progress.fraction * 1000))
        left = _(" · {time} left").format(time=clock(progress.seconds_left)) if progress.seconds_left else ""
        self._ui.setupLabel.text = progress.stage + left
