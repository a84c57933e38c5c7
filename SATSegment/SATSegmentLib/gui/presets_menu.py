"""The menu beside the prompt line: presets, the user's own sets, history, paste, from a report."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from SATSegmentLib import anatomy
from SATSegmentLib.gui.history import History
from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.types import Modality, Prompt

_RECENT = 15


class PresetsMenu:
    """A menu that is made anew each time it opens.

    Signals
    -------
    picked(name, prompts): a preset, a set, or something of the history.
    saveRequested(), forgetRequested(name): the user's own sets.
    pasteRequested(), reportRequested(), teachRequested(), clearRequested(): the other entries.
    """

    def __init__(self, parent: Any, history: History) -> None:
        self.picked, self.saveRequested, self.forgetRequested = Signal(), Signal(), Signal()
        self.pasteRequested, self.reportRequested, self.clearRequested = Signal(), Signal(), Signal()
        self.teachRequested = Signal()
        self.modality: Modality = "ct"
        self.hasChips = False
        self._labels = ANY_LABEL
        self._history = history
        self._connections = Connections()
        self._submenus: list[Any] = []
        self._meaning: dict[str, tuple[Signal, tuple[Any, ...]]] = {}
        self.menu = qt.QMenu(parent)
        self.menu.setAccessibleName(_("Presets, history, paste, from report"))
        self._connections.connect(self.menu, "aboutToShow()", self.refill)
        self._connections.connect(self.menu, "triggered(QAction*)", self._onTriggered)

    def setLabels(self, labels: ModelLabels) -> None:
        """What the chosen model does not know at all is grey."""
        self._labels = labels

    def refill(self) -> None:
        """The entries for the chosen modality."""
        self.menu.clear()
        # The menu lets go of its submenus' entries, but not of the submenus.
        for submenu in self._submenus:
            submenu.deleteLater()
        self._submenus, self._meaning = [], {}
        presets = self._submenu(_("Presets"))
        for preset in anatomy.presets(self.modality):
            action = self._picking(presets, preset.title, preset.prompts, f"{preset.title} ({len(preset.prompts)})")
            action.setToolTip(preset.about)
        self._ownSets()
        recent = self._submenu(_("History"))
        for row in self._history.recent(self.modality, _RECENT):
            self._picking(recent, row.name, row.prompts, row.name)
        recent.setEnabled(not recent.isEmpty())
        self.menu.addSeparator()
        self._entry(self.menu, _("Paste a list"), self.pasteRequested)
        self._entry(self.menu, _("From a report…"), self.reportRequested)
        self._entry(self.menu, _("Teach a word from a segment…"), self.teachRequested)
        self.menu.addSeparator()
        self._entry(self.menu, _("Save these structures as a set…"), self.saveRequested).setEnabled(self.hasChips)
        self._entry(self.menu, _("Remove all structures"), self.clearRequested).setEnabled(self.hasChips)

    def release(self) -> None:
        """Let go of everything, so that the panel can be made anew."""
        self._connections.release()
        for signal in (self.picked, self.saveRequested, self.forgetRequested):
            signal.disconnectAll()
        for signal in (self.pasteRequested, self.reportRequested, self.teachRequested, self.clearRequested):
            signal.disconnectAll()
        self.menu.deleteLater()

    def _ownSets(self) -> None:
        own = self._submenu(_("My sets"))
        sets = self._history.sets
        own.setEnabled(bool(sets))
        for name, prompts in sets.items():
            self._picking(own, name, prompts, f"{name} ({len(prompts)})")
        if sets:
            forget = self._submenu(_("Forget a set"), own)
            for name in sets:
                self._entry(forget, name, self.forgetRequested, name)

    def _submenu(self, title: str, parent: Any = None) -> Any:
        menu = (self.menu if parent is None else parent).addMenu(title)
        menu.setToolTipsVisible(True)
        if parent is None:
            self._submenus.append(menu)
        return menu

    def _picking(self, menu: Any, name: str, prompts: tuple[Prompt, ...], text: str) -> Any:
        """An entry that adds structures; with the reason, where the model does not know some or all of them."""
        here = tuple(prompt for prompt in prompts if prompt.modality == self.modality)
        reason = self._labels.reason(here)
        action = self._entry(menu, f"{text} · {reason}" if reason else text, self.picked, name, prompts)
        action.setEnabled(not here or len(self._labels.unknown(here)) < len(here))
        return action

    def _entry(self, menu: Any, text: str, signal: Signal, *arguments: str | tuple[Prompt, ...]) -> Any:
        key = str(len(self._meaning))
        self._meaning[key] = (signal, arguments)
        action = menu.addAction(text)
        action.setData(key)
        return action

    def _onTriggered(self, action: Any) -> None:
        signal, arguments = self._meaning[action.data()]
        signal.emit(*arguments)
