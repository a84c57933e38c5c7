"""The Segment button and what is seen of a run: progress, time left, device, log, error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SATSegmentLib.engine.api import RunListener
from SATSegmentLib.errors import Cancelled, OutOfMemory, SATSegmentError
from SATSegmentLib.gui.error_text import errorText
from SATSegmentLib.gui.icons import icon
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.types import Progress

_TWICE_SECONDS = 1.0
_LOG_PROPERTY = "SATSegmentLog"
_LOG_LINES = 500
_RUN_KEYS = "⌘↵" if sys.platform == "darwin" else "Ctrl+↵"


class RunController:
    """One button that starts and cancels; a run never blocks the panel.

    Signals
    -------
    started(), ended(output, error): around a run; `output` is a `mrml.run.RunOutput` or None.
    progressed(Progress): on the way.

    Parameters
    ----------
    ui : Any
        The panel's widgets by name.
    start : Callable[..., Any]
        Starts a run with the keywords listener and onDone, and returns its `PanelTask`; raises a
        `SATSegmentError` where nothing can be started.
    onProcessor : Callable[[], None]
        Called where the user wants to go on with the CPU where the memory of the GPU was not enough.
    """

    def __init__(self, ui: Any, start: Callable[..., Any], onProcessor: Callable[[], None]) -> None:
        self.started, self.ended, self.progressed = Signal(), Signal(), Signal()
        self._ui, self._start, self._onProcessor = ui, start, onProcessor
        self._connections = Connections()
        self._task: Any = None
        self._escapedAt = 0.0
        self._offersProcessor = False
        self._structures = 0
        self._possible = False
        connect = self._connections.connect
        connect(ui.runButton, "clicked()", self.toggle)
        connect(ui.errorCloseButton, "clicked()", self.closeError)
        connect(ui.errorActionButton, "clicked()", self._onErrorAction)
        connect(ui.copyLogButton, "clicked()", self._onCopyLog)
        self._restoreLog()
        self._forgetWarnings()
        self.closeError()
        self._showIdle()

    @property
    def told(self) -> str:
        """What is said of the last thing that was done."""
        return str(self._ui.errorLabel.text if not self._ui.errorFrame.isHidden() else self._ui.stageLabel.text)

    @property
    def running(self) -> bool:
        return self._task is not None

    def setPossible(self, structures: int, possible: bool) -> None:
        """How many structures a run would have, and whether one could be started."""
        self._structures, self._possible = structures, possible
        if not self.running:
            self._sayIdle()

    def toggle(self) -> None:
        """What a click on the button does."""
        if self.running:
            self.cancel()
        else:
            self.run()

    def run(self, start: Callable[..., Any] | None = None, tell: Callable[[Any, float], str] | None = None) -> None:
        """Start a run: of what is asked for, or what `start` says; `tell(output, seconds)` says what came of it."""
        if self.running or (start is None and not (self._possible and self._structures)):
            return
        self.closeError()
        try:
            listener = RunListener(progress=self._onProgress, on_warning=self._onWarning)
            self._task = (self._start if start is None else start)(listener=listener, onDone=self._onDone)
        except SATSegmentError as error:
            self.showError(error)
            return
        self._began = time.monotonic()
        self._tell = self._tellFound if tell is None else tell
        self._showRunning()
        self.started.emit()

    def cancel(self) -> None:
        if self.running and not self._task.cancelAsked:
            self._task.cancel()
            self._ui.runButton.enabled = False
            self._ui.stageLabel.text = _("Cancelling…")

    def escape(self) -> None:
        """Esc: the second one within a second cancels the run."""
        now = time.monotonic()
        if now - self._escapedAt < _TWICE_SECONDS:
            self.cancel()
        self._escapedAt = now

    def abandon(self) -> None:
        """Stop a run whose scene is gone; nothing more is heard of it."""
        if self._task is not None:
            self._task.abandon()
            self._task = None
            self._showIdle()

    def release(self) -> None:
        self.abandon()
        self._connections.release()
        self.started.disconnectAll()
        self.ended.disconnectAll()
        self.progressed.disconnectAll()

    def say(self, text: str) -> None:
        """What came of the last thing that was done, until the next one."""
        self._ui.stageLabel.text = text
        self._ui.stageLabel.show()

    def forget(self) -> None:
        """Say nothing more of what was done: its scene is gone."""
        if not self.running:
            self._ui.stageLabel.hide()
            self._ui.stageLabel.text = ""
        self._forgetWarnings()
        self.closeError()

    def _forgetWarnings(self) -> None:
        self._warnings: list[str] = []
        self._ui.warningLabel.text = ""
        self._ui.warningLabel.hide()

    def log(self, text: str) -> None:
        """A line with the time. Names of patients, scans and files do not belong here."""
        self._append(f"{time.strftime('%H:%M:%S')} {text}")

    def _append(self, text: str) -> None:
        edit = self._ui.logTextEdit
        edit.appendPlainText(text)
        # Kept by the application, which outlives this panel: a reload must not lose what went wrong before it.
        slicer.app.setProperty(_LOG_PROPERTY, "\n".join(edit.plainText.splitlines()[-_LOG_LINES:]))

    def _restoreLog(self) -> None:
        before = slicer.app.property(_LOG_PROPERTY)
        if before:
            self._ui.logTextEdit.setPlainText(str(before))

    def showError(self, error: BaseException) -> None:
        """What happened, what it means, what to do."""
        self.log(f"{type(error).__name__}: {error}")
        for note in getattr(error, "__notes__", ()):
            self._append(note)
        self._offersProcessor = isinstance(error, OutOfMemory) and error.device != "cpu"
        ui = self._ui
        ui.errorLabel.text = errorText(error)
        ui.errorIconLabel.setPixmap(icon("warning", ui.errorIconLabel).pixmap(20, 20))
        ui.errorActionButton.setVisible(self._offersProcessor)
        ui.errorActionButton.text = _("Segment on the CPU")
        ui.errorFrame.show()

    def closeError(self) -> None:
        self._ui.errorFrame.hide()

    # --- during a run

    def _onProgress(self, progress: Progress) -> None:
        ui = self._ui
        ui.progressBar.setValue(round(progress.fraction * 1000))
        self.progressed.emit(progress)
        if not progress.fraction:
            self.log(progress.stage)  # what is told before any work was done: loading, and what the run will take
        if not self._task.cancelAsked:
            left = _(" · {time} left").format(time=clock(progress.seconds_left)) if progress.seconds_left else ""
            ui.stageLabel.text = progress.stage + left

    def _onWarning(self, text: str) -> None:
        self.log(text)
        self._warnings.append(text)
        self._ui.warningLabel.text = "\n".join(self._warnings)
        self._ui.warningLabel.show()

    def _onDone(self, output: Any, error: BaseException | None) -> None:
        self._task = None
        self._showIdle()
        seconds = time.monotonic() - self._began
        if error is None:
            self.say(self._tell(output, seconds))
        elif isinstance(error, Cancelled):
            self.log(_("Cancelled."))
        else:
            self.showError(error)
        self.ended.emit(output, error)

    def _tellFound(self, output: Any, seconds: float) -> str:
        looked = [result for result in output.results if result.status != "unknown"]
        for result in output.results:
            self.log(f"{result.prompt.text} ({result.prompt.modality}): {result.status}, {result.seconds:.1f} s")
        text = _("{found} of {asked} found · {time} · {device}").format(
            found=len(output.written.segmentIds),
            asked=len(looked),
            time=clock(seconds),
            device=f"{output.results[0].device} {output.results[0].precision}",
        )
        unknown = len(output.results) - len(looked)
        return text + (_(" · {count} not known to this model").format(count=unknown) if unknown else "")

    def _showRunning(self) -> None:
        ui = self._ui
        self._forgetWarnings()
        ui.runButton.text = _("Cancel")
        ui.runButton.setAccessibleName(_("Cancel the run"))
        ui.runButton.setToolTip(_("Esc twice does the same."))
        ui.runButton.setIcon(icon("stop", ui.runButton))
        ui.runButton.enabled = True
        ui.progressBar.setValue(0)
        ui.stageLabel.text = _("starting")
        ui.progressBar.show()
        ui.stageLabel.show()
        # The prompt line is disabled now; Esc must still be heard.
        ui.runButton.setFocus()

    def _showIdle(self) -> None:
        self._ui.progressBar.hide()
        self._ui.stageLabel.hide()
        self._sayIdle()

    def _sayIdle(self) -> None:
        button, count = self._ui.runButton, self._structures
        if count == 0:
            text = _("Segment")
        elif count == 1:
            text = _("Segment 1 structure")
        else:
            text = _("Segment {count} structures").format(count=count)
        button.text = f"{text}   {_RUN_KEYS}" if count else text
        button.setAccessibleName(text)
        button.setToolTip(_("Load a scan, and name the structures you want.") if not count else "")
        button.setIcon(icon("run", button))
        button.enabled = self._possible and count > 0

    def _onErrorAction(self) -> None:
        self.closeError()
        if self._offersProcessor:
            self._onProcessor()

    def _onCopyLog(self) -> None:
        qt.QApplication.clipboard().setText(self._ui.logTextEdit.plainText)


def clock(seconds: float | None) -> str:
    """Minutes and seconds: "0:41"."""
    whole = round(seconds or 0)
    return f"{whole // 60}:{whole % 60:02d}"
