"""Where runs go: this computer or a server; its address and token, a button that tries it, and what it offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SATSegmentLib.errors import Cancelled
from SATSegmentLib.gui.error_text import errorText
from SATSegmentLib.gui.panel_task import PanelTask
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.gui.stored_settings import readSetting, writeSetting

_HERE, _SERVER = "here", "server"
_EXAMPLE = "https://gpu-box:8765"


class ServerSettings:
    """The part of Settings about a server. The token itself is never kept in Slicer's settings.

    Signals
    -------
    changed(): runs go somewhere else now, or the server has said what it offers.

    Parameters
    ----------
    ui : Any
        The panel's widgets by name.
    """

    def __init__(self, ui: Any) -> None:
        self.changed = Signal()
        self._connections = Connections()
        self._task: PanelTask | None = None
        self._offer: dict[str, Any] = {}
        self._build(ui.serverPlaceholder)
        self._fill()
        connect = self._connections.connect
        connect(self.whereComboBox, "currentIndexChanged(int)", self._onWhere)
        connect(self.urlEdit, "editingFinished()", self._onEdited)
        connect(self.tokenFileEdit, "editingFinished()", self._onEdited)
        connect(self.caFileEdit, "editingFinished()", self._onEdited)
        connect(self.testButton, "clicked()", self._onTest)
        self._askQuietly()

    @property
    def isChosen(self) -> bool:
        """Whether runs go to a server."""
        return bool(self.whereComboBox.currentData == _SERVER)

    @property
    def url(self) -> str:
        """Its address; empty where runs stay on this computer."""
        return str(self.urlEdit.text).strip() if self.isChosen else ""

    @property
    def tokenFile(self) -> str:
        """File that holds the token; empty for the environment's."""
        return str(self.tokenFileEdit.text).strip()

    @property
    def caFile(self) -> str:
        """File of certificates to trust; empty for the system's."""
        return str(self.caFileEdit.text).strip()

    @property
    def models(self) -> list[str]:
        """Names of the models that the server offers; empty as long as it has not said."""
        return list(self._offer.get("models", ()))

    @property
    def devices(self) -> list[str]:
        """What the server runs on; empty as long as it has not said."""
        return list(self._offer.get("devices", ()))

    def applyTo(self, logic: Any) -> None:
        """Have the module's runs go where it is chosen here.

        Raises
        ------
        Cancelled
            The user does not want that scans are sent there.
        """
        self.agree()
        logic.useServer(self.url, self.tokenFile, self.caFile)

    def agree(self) -> None:
        """Say what is sent, before the first scan is sent to this address.

        Raises
        ------
        Cancelled
            The user does not want that.
        """
        url = self.url
        if not url or readSetting("serverAgreed", "") == url:
            return
        if not slicer.util.confirmOkCancelDisplay(
            _(
                "The voxels of your scans, their place, and the structures you ask for are sent to {url}. Names of "
                "patients, files and DICOM tags are not sent. The server keeps scans in memory while you use them. "
                "Send scans there?"
            ).format(url=url)
        ):
            raise Cancelled
        writeSetting("serverAgreed", url)

    def setBusy(self, busy: bool) -> None:
        """A run must not be taken to another place."""
        for widget in (self.whereComboBox, *self._edits, self.testButton):
            widget.enabled = not busy

    def release(self) -> None:
        if self._task is not None:
            self._task.abandon()
            self._task = None
        self._connections.release()
        self.changed.disconnectAll()

    def _build(self, holder: Any) -> None:
        form = qt.QFormLayout(holder)
        form.setContentsMargins(0, 0, 0, 0)
        self.whereComboBox = qt.QComboBox(holder)
        self.whereComboBox.setAccessibleName(_("Where runs go"))
        self.whereComboBox.setToolTip(
            _("A server (satsegment serve) has the GPU and the models; nothing is installed here.")
        )
        self.urlEdit = qt.QLineEdit(holder)
        self.urlEdit.setPlaceholderText(_EXAMPLE)
        self.urlEdit.setAccessibleName(_("Address of the server"))
        self.tokenFileEdit = qt.QLineEdit(holder)
        self.tokenFileEdit.setAccessibleName(_("File with the token"))
        self.tokenFileEdit.setToolTip(
            _("A file that holds your token and nothing else. Left empty, SATSEGMENT_TOKEN of the environment is used.")
        )
        self.caFileEdit = qt.QLineEdit(holder)
        self.caFileEdit.setAccessibleName(_("File of certificates"))
        self.caFileEdit.setToolTip(
            _("A file of certificates to trust (PEM), for a server with a certificate of the site's own.")
        )
        self._edits = (self.urlEdit, self.tokenFileEdit, self.caFileEdit)
        self.testButton = qt.QPushButton(_("Test connection"), holder)
        self.testButton.setToolTip(_("Asks the server for its version, models and devices. No scan is sent."))
        self.testLabel = qt.QLabel("", holder)
        self.testLabel.setWordWrap(True)
        self.testLabel.hide()
        form.addRow(_("Run on:"), self.whereComboBox)
        form.addRow(_("Address:"), self.urlEdit)
        form.addRow(_("Token file:"), self.tokenFileEdit)
        form.addRow(_("Certificates:"), self.caFileEdit)
        form.addRow(self.testButton)
        form.addRow(self.testLabel)
        self._form = form

    def _fill(self) -> None:
        self.whereComboBox.addItem(_("This computer"), _HERE)
        self.whereComboBox.addItem(_("Server"), _SERVER)
        self.whereComboBox.setCurrentIndex(max(self.whereComboBox.findData(readSetting("runOn", _HERE)), 0))
        self.urlEdit.text = readSetting("serverUrl", "")
        self.tokenFileEdit.text = readSetting("serverTokenFile", "")
        self.caFileEdit.text = readSetting("serverCaFile", "")
        self._show()

    def _show(self) -> None:
        for widget in self._edits:
            widget.setVisible(self.isChosen)
            self._form.labelForField(widget).setVisible(self.isChosen)
        self.testButton.setVisible(self.isChosen)
        self.testLabel.hide()

    def _onWhere(self, index: int) -> None:
        writeSetting("runOn", self.whereComboBox.currentData)
        self._show()
        self._moved()

    def _onEdited(self) -> None:
        names = ("serverUrl", "serverTokenFile", "serverCaFile")
        texts = [str(edit.text).strip() for edit in self._edits]
        if [readSetting(name, "") for name in names] == texts:
            return
        for name, text in zip(names, texts, strict=True):
            writeSetting(name, text)
        self.testLabel.hide()
        self._moved()

    def _moved(self) -> None:
        """Runs go somewhere else: the server that they went to need not keep their scans."""
        from SATSegmentLib.setup.shared_engine import shared_engine

        shared_engine.leave_server(self.url)
        self._offer = {}
        self.changed.emit()
        self._askQuietly()

    def _askQuietly(self) -> None:
        """Ask the server what it offers, without a word where it does not answer: a run, or the button, says why."""
        if self.url and self._task is None:
            self._ask(lambda said, error: None)

    def _onTest(self) -> None:
        if self._task is not None:
            self._task.abandon()
            self._task = None
        self._say(_("Trying…"))
        self.testButton.enabled = False
        self._ask(self._onTested)

    def _ask(self, tell: Callable[[Any, BaseException | None], None]) -> None:
        where = url, tokenFile, caFile = self.url, self.tokenFile, self.caFile

        def work(listener: Any) -> Any:
            from SATSegmentLib.engine.remote import RemoteEngine
            from SATSegmentLib.engine.transport.http import find_token

            return RemoteEngine(url, find_token(tokenFile or None), caFile).hello()

        def done(said: Any, error: BaseException | None) -> None:
            self._task = None
            if where != (self.url, self.tokenFile, self.caFile):
                # Another one is meant by now.
                self.testButton.enabled = True
                self._askQuietly()
                return
            if error is None and said != self._offer:
                self._offer = said
                self.changed.emit()
            tell(said, error)

        self._task = PanelTask(work, done)

    def _onTested(self, said: Any, error: BaseException | None) -> None:
        self.testButton.enabled = True
        if error is not None:
            self._say(errorText(error))
            return
        self._say(
            _("Working. SATSegment {version}, models: {models}; devices: {devices}.").format(
                version=said["satsegment"], models=", ".join(said["models"]), devices=", ".join(said["devices"])
            )
        )

    def _say(self, text: str) -> None:
        self.testLabel.text = text
        self.testLabel.show()
