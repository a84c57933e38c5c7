"""From a radiology report to structures: paste it, see what was understood, take it over."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.gui.report_text import Finding, findings, marked
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.types import Modality

_NUMBER = qt.Qt.UserRole
# A pause in typing after which the report is read again.
_PAUSE_MS = 300


class ReportDialog:
    """A window with the report, its sentences with the findings marked, and the list of what to take over.

    The report stays in this window: it is not saved, logged or sent.

    Signals
    -------
    accepted(prompts): the structures that were taken over.
    """

    def __init__(self, parent: Any, modality: Modality) -> None:
        self.accepted = Signal()
        self._modality = modality
        self._labels = ANY_LABEL
        self._connections = Connections()
        self._findings: tuple[Finding, ...] = ()
        self._build(parent)
        self._timer = qt.QTimer(self.dialog)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._connections.connect(self._timer, "timeout()", self.read)
        self._connections.connect(self.edit, "textChanged()", self._onEdited)
        self._connections.connect(self.list, "itemChanged(QListWidgetItem*)", self._onItem)
        self._connections.connect(self.addButton, "clicked()", self._onAdd)
        self._connections.connect(self.closeButton, "clicked()", self.close)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self._findings

    def open(self) -> None:
        self.dialog.show()
        self.dialog.activateWindow()
        self.edit.setFocus()

    def close(self) -> None:
        """Forget the report and hide."""
        self._timer.stop()
        self.edit.blockSignals(True)
        self.edit.clear()
        self.edit.blockSignals(False)
        self._show(())
        self.dialog.hide()

    def setModality(self, modality: Modality) -> None:
        self._modality = modality
        if self.edit.toPlainText().strip():
            self.read()

    def setLabels(self, labels: ModelLabels) -> None:
        """What the chosen model does not know is listed with the reason, and not taken over unasked."""
        self._labels = labels
        if self.edit.toPlainText().strip():
            self.read()

    def read(self) -> None:
        """Read the report that is in the editor."""
        self._timer.stop()
        self._show(findings(self.edit.toPlainText(), self._modality))

    def chosen(self) -> tuple[Finding, ...]:
        """What is to be taken over."""
        items = [self.list.item(row) for row in range(self.list.count)]
        return tuple(self._findings[item.data(_NUMBER)] for item in items if item.checkState() == qt.Qt.Checked)

    def release(self) -> None:
        """Let go of everything, so that the panel can be made anew."""
        self._timer.stop()
        self._connections.release()
        self.accepted.disconnectAll()
        self.dialog.hide()
        self.dialog.deleteLater()

    def _build(self, parent: Any) -> None:
        self.dialog = qt.QDialog(parent)
        self.dialog.setWindowTitle(_("Structures from a report"))
        self.dialog.resize(560, 640)
        column = qt.QVBoxLayout(self.dialog)
        self.edit = qt.QPlainTextEdit(self.dialog)
        self.edit.setPlaceholderText(_("Paste the report here. It stays in this window: it is not saved and not sent."))
        self.edit.setAccessibleName(_("Report"))
        self.edit.setTabChangesFocus(True)
        self.view = qt.QTextBrowser(self.dialog)
        self.view.setAccessibleName(_("Report with its findings marked"))
        self.view.setOpenLinks(False)
        self.legend = qt.QLabel(
            _("Bold: will be taken over. Struck out: said not to be there. Italic: of the past, or only possible.")
        )
        self.legend.setWordWrap(True)
        self.list = qt.QListWidget(self.dialog)
        self.list.setAccessibleName(_("Structures to take over"))
        for widget, stretch in ((self.edit, 2), (self.view, 3), (self.legend, 0), (self.list, 3)):
            column.addWidget(widget, stretch)
        row = qt.QHBoxLayout()
        column.addLayout(row)
        row.addStretch(1)
        self.addButton = qt.QPushButton(self.dialog)
        self.addButton.setDefault(True)
        self.closeButton = qt.QPushButton(_("Close"), self.dialog)
        self.closeButton.setAutoDefault(False)
        row.addWidget(self.addButton)
        row.addWidget(self.closeButton)
        self._updateButton()

    def _show(self, found: tuple[Finding, ...]) -> None:
        self._findings = found
        self.list.blockSignals(True)
        self.list.clear()
        for number, finding in enumerate(found):
            reason = self._labels.reason(finding.prompts)
            known = not finding.prompts or len(self._labels.unknown(finding.prompts)) < len(finding.prompts)
            item = qt.QListWidgetItem(f"{finding.line()} · {reason}" if reason else finding.line())
            item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable | qt.Qt.ItemIsUserCheckable)
            item.setData(_NUMBER, number)
            item.setCheckState(qt.Qt.Checked if finding.suggested and known else qt.Qt.Unchecked)
            item.setToolTip(finding.sentence)
            self.list.addItem(item)
        self.list.blockSignals(False)
        self._mark()

    def _mark(self) -> None:
        self.view.setHtml(marked(self.edit.toPlainText(), self._findings, set(self.chosen())))
        self._updateButton()

    def _updateButton(self) -> None:
        count = len({prompt for finding in self.chosen() for prompt in finding.prompts})
        self.addButton.text = _("Add {count} structures").format(count=count)
        self.addButton.setEnabled(count > 0)

    def _onEdited(self) -> None:
        self._timer.start()

    def _onItem(self, item: Any) -> None:
        self._mark()

    def _onAdd(self) -> None:
        prompts = tuple(dict.fromkeys(prompt for finding in self.chosen() for prompt in finding.prompts))
        self.close()
        self.accepted.emit(prompts)
