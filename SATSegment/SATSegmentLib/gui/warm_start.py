"""The model is loaded while the user types: when the panel is opened, and when a scan, model or device is chosen."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from SATSegmentLib.engine.api import RunOptions
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.gui.signal import Connections
from SATSegmentLib.gui.stored_settings import readSetting, writeSetting

_KEY = "loadAhead"


class WarmStart:
    """Lets the engine load the chosen model, as soon as the event loop is free.

    Parameters
    ----------
    checkBox : QCheckBox
        The setting.
    load : callable
        Starts loading with these `RunOptions`, and returns at once.
    options : callable
        Gives those of the run to come, or None where there can be none: something is not installed, or a run goes on.
    """

    def __init__(
        self, checkBox: Any, load: Callable[[RunOptions], None], options: Callable[[], RunOptions | None]
    ) -> None:
        self._checkBox, self._load, self._options = checkBox, load, options
        self._isOpen = False
        self._asked: RunOptions | None = None
        self._connections = Connections()
        checkBox.setToolTip(
            _(
                "The segmentation process starts, and loads the model, while you choose scan and structures. It takes "
                "the model's memory until it has been idle for a while."
            )
        )
        checkBox.checked = slicer.util.toBool(readSetting(_KEY, True))
        self._connections.connect(checkBox, "toggled(bool)", self._onToggled)

    def opened(self) -> None:
        """The panel is in front; not when Slicer starts."""
        self._isOpen = True
        self._asked = None  # an engine that was idle may have let its model go
        self.look()

    def left(self) -> None:
        """Another module is in front: what happens in it loads nothing."""
        self._isOpen = False

    def runMayCome(self) -> None:
        """A scan was chosen, or a run was cancelled: an engine that was idle, or has ended, is made ready again."""
        self._asked = None
        self.look()

    def look(self) -> None:
        """Something has changed: load what is chosen now, unless it was asked for already."""
        if self._isOpen and self._checkBox.checked:
            qt.QTimer.singleShot(0, self._start)

    def release(self) -> None:
        self._isOpen = False
        self._connections.release()

    def _start(self) -> None:
        options = self._options() if self._isOpen else None
        if options is not None and options != self._asked:
            self._asked = options
            with contextlib.suppress(SATSegmentError):  # the run that meets it says it
                self._load(options)

    def _onToggled(self, checked: bool) -> None:
        writeSetting(_KEY, checked)
        self.look()
