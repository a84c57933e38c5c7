"""A run that goes on while another module is open: in the application's status bar, and in the window's title."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SATSegmentLib.gui.signal import Connections
from SATSegmentLib.types import Progress

_MODULE = "SATSegment"
_TELL_MS = 15_000


class AwayProgress:
    """Shown from `leave` to `enter`, as long as a run goes on. Without a main window it does nothing.

    The title of the main window is what task bars and overviews of windows show.

    Parameters
    ----------
    cancel : callable
        Cancels the run.
    """

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._cancel = cancel
        self._connections = Connections()
        self._away = False
        self._last: Progress | None = None
        self._prefix = ""
        self.widget: Any = None

    def leave(self, running: bool) -> None:
        """The module goes to the back."""
        self._away = True
        if running:
            self._show()

    def enter(self) -> None:
        """The module comes to the front, where the run is seen."""
        self._away = False
        self._hide()

    def began(self) -> None:
        """A run has started."""
        self._last = None
        if self._away:
            self._show()

    def progressed(self, progress: Progress) -> None:
        """The run has come further."""
        self._last = progress
        self._say()

    def ended(self, text: str) -> None:
        """The run is over; `text` says what came of it, for whoever is elsewhere."""
        self._hide()
        if self._away and text:
            slicer.util.showStatusMessage(_("SAT Segment: {text}").format(text=text), _TELL_MS)

    def release(self) -> None:
        """Take everything away again."""
        self._hide()

    def _show(self) -> None:
        window = slicer.util.mainWindow()
        if window is None or self.widget is not None:
            return
        self.widget = qt.QWidget()
        row = qt.QHBoxLayout(self.widget)
        row.setContentsMargins(4, 0, 4, 0)
        self.label = qt.QLabel(_("SAT Segment"), self.widget)
        self.bar = qt.QProgressBar(self.widget)
        self.bar.setMaximum(1000)
        self.bar.setMaximumWidth(160)
        self.bar.setAccessibleName(_("Progress of the run"))
        self.showButton = qt.QToolButton(self.widget)
        self.showButton.text = _("Show")
        self.showButton.setToolTip(_("Go to the module SAT Segment."))
        self.cancelButton = qt.QToolButton(self.widget)
        self.cancelButton.text = _("Cancel")
        self.cancelButton.setToolTip(_("Cancel the run."))
        for part in (self.label, self.bar, self.showButton, self.cancelButton):
            row.addWidget(part)
        self._connections.connect(self.showButton, "clicked()", self._onShow)
        self._connections.connect(self.cancelButton, "clicked()", self._cancel)
        window.statusBar().addPermanentWidget(self.widget)
        self.widget.show()
        self._say()

    def _say(self) -> None:
        if self.widget is None:
            return
        fraction = self._last.fraction if self._last is not None else 0.0
        self.bar.setValue(round(fraction * 1000))
        self.bar.setToolTip(self._last.stage if self._last is not None else "")
        self._setPrefix(_("{percent} % · ").format(percent=round(fraction * 100)))

    def _setPrefix(self, prefix: str) -> None:
        """Put this before the window's title, in the place of what was put there last."""
        window = slicer.util.mainWindow()
        if window is None:
            return
        title = window.windowTitle
        if self._prefix and title.startswith(self._prefix):
            title = title[len(self._prefix) :]
        self._prefix = prefix
        window.setWindowTitle(prefix + title)

    def _hide(self) -> None:
        if self.widget is None:
            return
        self._setPrefix("")
        self._connections.release()
        window = slicer.util.mainWindow()
        if window is not None:
            window.statusBar().removeWidget(self.widget)
        self.widget.hide()
        self.widget.deleteLater()
        self.widget = None

    def _onShow(self) -> None:
        slicer.util.selectModule(_MODULE)
