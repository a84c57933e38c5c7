"""The chips: what will be segmented, in the order it was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from SATSegmentLib.gui.chip_model import Chip
from SATSegmentLib.gui.icons import icon
from SATSegmentLib.gui.language import languageChanged, localName, withLocalName
from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.types import MODALITY_TITLES, Modality, Prompt

_LONGEST_NAME = 34


class ChipBox:
    """A flow of chips in a widget; each prompt is in it at most once.

    Signals
    -------
    changed(): chips came, went, or became something else.
    leftToLine(): the focus shall go back to the prompt line.
    """

    def __init__(self, parent: Any, modality: Modality) -> None:
        self.changed, self.leftToLine = Signal(), Signal()
        self.modality = modality
        self.labels = ANY_LABEL
        self.widget = qt.QWidget(parent)
        self.widget.setAccessibleName(_("Structures to segment"))
        self._layout = ctk.ctkFlowLayout()
        self._layout.horizontalSpacing = 4
        self._layout.verticalSpacing = 4
        # Not in columns: each chip is as wide as its name.
        self._layout.alignItems = False
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.widget.setLayout(self._layout)
        self._chips: list[ChipWidget] = []
        self.widget.hide()
        languageChanged.connect(self._onLanguage)

    @property
    def chips(self) -> tuple[Chip, ...]:
        return tuple(widget.chip for widget in self._chips)

    @property
    def widgets(self) -> tuple[ChipWidget, ...]:
        return tuple(self._chips)

    def prompts(self) -> tuple[Prompt, ...]:
        """What can be run in the chosen modality, each once, in order."""
        return tuple(dict.fromkeys(p for chip in self.chips for p in chip.fits(self.modality)))

    def misfits(self) -> tuple[Prompt, ...]:
        """What was asked for and is not trained in the chosen modality."""
        return tuple(dict.fromkeys(p for chip in self.chips for p in chip.prompts if p.modality != self.modality))

    def add(self, name: str, prompts: Iterable[Prompt]) -> bool:
        """Add a chip for what of the prompts is not there yet; whether there was anything."""
        wanted = tuple(dict.fromkeys(prompts))
        known = {prompt for chip in self.chips for prompt in chip.prompts}
        fresh = tuple(prompt for prompt in wanted if prompt not in known)
        if not fresh:
            return False
        self._append(Chip(name if fresh == wanted or len(fresh) > 1 else fresh[0].text, fresh))
        self.changed.emit()
        return True

    def addEach(self, prompts: Iterable[Prompt]) -> int:
        """A chip for each prompt that is not there yet; how many these were."""
        known = {prompt for chip in self.chips for prompt in chip.prompts}
        fresh = [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]
        for prompt in fresh:
            self._append(Chip(prompt.text, (prompt,)))
        if fresh:
            self.changed.emit()
        return len(fresh)

    def discard(self, prompts: Iterable[Prompt]) -> None:
        """Take these prompts away, with their chips where nothing else is in them."""
        gone = set(prompts)
        for widget in list(self._chips):
            kept = tuple(prompt for prompt in widget.chip.prompts if prompt not in gone)
            if kept != widget.chip.prompts:
                self._become(widget, Chip(widget.chip.name, kept))
        self.changed.emit()

    def removeLast(self) -> None:
        if self._chips:
            self._remove(self._chips[-1])
            self.changed.emit()

    def clear(self) -> None:
        for widget in list(self._chips):
            self._remove(widget)
        self.changed.emit()

    def setModality(self, modality: Modality) -> None:
        self.modality = modality
        for widget in self._chips:
            widget.setChip(widget.chip.inModality(modality), modality, self.labels)
        self.changed.emit()

    def setLabels(self, labels: ModelLabels) -> None:
        """Mark what the chosen model does not know."""
        self.labels = labels
        for widget in self._chips:
            widget.setChip(widget.chip, self.modality, labels)
        self.changed.emit()

    def release(self) -> None:
        """Let go of everything, so that the panel can be made anew."""
        languageChanged.disconnect(self._onLanguage)
        for widget in list(self._chips):
            self._remove(widget)
        self.changed.disconnectAll()
        self.leftToLine.disconnectAll()

    def _append(self, chip: Chip) -> None:
        widget = ChipWidget(chip, self.modality, self.labels, self.widget)
        widget.edited.connect(self._onEdited)
        widget.removed.connect(self._onRemoved)
        widget.moved.connect(self._onMoved)
        self._chips.append(widget)
        self._layout.addWidget(widget.frame)
        widget.frame.show()
        self.widget.show()

    def _become(self, widget: ChipWidget, chip: Chip) -> None:
        if chip.prompts:
            widget.setChip(chip, self.modality, self.labels)
        else:
            self._remove(widget)

    def _remove(self, widget: ChipWidget) -> None:
        self._chips.remove(widget)
        self._layout.removeWidget(widget.frame)
        widget.release()
        self.widget.setVisible(bool(self._chips))

    def _onLanguage(self) -> None:
        for widget in self._chips:
            widget.setChip(widget.chip, self.modality, self.labels)

    def _onEdited(self, widget: ChipWidget, chip: Chip) -> None:
        """A chip that becomes what others already are takes them over."""
        for other in list(self._chips):
            if other is not widget and set(other.chip.prompts) & set(chip.prompts):
                rest = tuple(prompt for prompt in other.chip.prompts if prompt not in chip.prompts)
                self._become(other, Chip(other.chip.name, rest))
        self._become(widget, chip)
        self.changed.emit()

    def _onRemoved(self, widget: ChipWidget) -> None:
        place = self._chips.index(widget)
        self._remove(widget)
        self._focus(min(place, len(self._chips) - 1))
        self.changed.emit()

    def _onMoved(self, widget: ChipWidget, step: int) -> None:
        self._focus(self._chips.index(widget) + step)

    def _focus(self, place: int) -> None:
        """The focus to a chip; before the first and after the last comes the prompt line."""
        if 0 <= place < len(self._chips):
            self._chips[place].button.setFocus()
        else:
            self.leftToLine.emit()


class ChipWidget:
    """One chip: its name, which toggles the side or shows what is in it, and a button that removes it.

    Signals
    -------
    edited(self, Chip): the user made something else of it.
    removed(self), moved(self, step): keys and clicks on it.
    """

    def __init__(self, chip: Chip, modality: Modality, labels: ModelLabels, parent: Any) -> None:
        self.edited, self.removed, self.moved = Signal(), Signal(), Signal()
        self.chip = chip
        self._connections = Connections()
        self.frame = qt.QFrame(parent)
        self.frame.setFrameShape(qt.QFrame.StyledPanel)
        row = qt.QHBoxLayout(self.frame)
        row.setContentsMargins(2, 0, 0, 0)
        row.setSpacing(0)
        self.button = qt.QToolButton(self.frame)
        self.button.setAutoRaise(True)
        self.button.setFocusPolicy(qt.Qt.StrongFocus)
        self.menu = qt.QMenu(self.button)
        self.closeButton = qt.QToolButton(self.frame)
        self.closeButton.setAutoRaise(True)
        self.closeButton.setIcon(icon("remove", self.frame))
        self.closeButton.setIconSize(qt.QSize(10, 10))
        # The chip itself is removed with Del: one stop for the Tab key, not two.
        self.closeButton.setFocusPolicy(qt.Qt.NoFocus)
        row.addWidget(self.button)
        row.addWidget(self.closeButton)
        self._filter = _ChipKeys(self, self.frame)
        self._connections.filterEvents(self.button, self._filter)
        self._connections.connect(self.button, "clicked()", self._onClicked)
        self._connections.connect(self.closeButton, "clicked()", self._onCloseClicked)
        self._connections.connect(self.menu, "triggered(QAction*)", self._onMember)
        self.setChip(chip, modality, labels)

    def setChip(self, chip: Chip, modality: Modality, labels: ModelLabels) -> None:
        self.chip = chip
        possible = tuple(prompt for prompt in chip.fits(modality) if labels.knows(prompt))
        inModel = labels.reason(chip.fits(modality))
        why = "" if possible else inModel or _only(chip)
        self.button.text = self._text(chip, len(possible), why)
        self.button.toolTip = self._toolTip(chip, modality, labels)
        self.button.setAccessibleName(
            self._spoken(chip, len(possible), why and (inModel or _("not trained in this modality")))
        )
        self.closeButton.toolTip = _("Remove {name}").format(name=chip.name)
        self.closeButton.setAccessibleName(_("Remove {name}").format(name=chip.name))
        font = qt.QFont(self.frame.font)
        font.setStrikeOut(not possible)
        font.setItalic(chip.isFreeText)
        self.button.setFont(font)

    def remove(self) -> None:
        self.removed.emit(self)

    def release(self) -> None:
        self._filter.chip = None
        self._connections.release()
        for signal in (self.edited, self.removed, self.moved):
            signal.disconnectAll()
        self.frame.hide()
        self.frame.deleteLater()

    def _onClicked(self) -> None:
        if self.chip.side is not None:
            self.edited.emit(self, self.chip.toggled())
        elif len(self.chip.prompts) > 1:
            self._showMembers()

    def _onCloseClicked(self) -> None:
        self.remove()

    def _showMembers(self) -> None:
        self.menu.clear()
        for prompt in self.chip.prompts:
            action = self.menu.addAction(withLocalName(prompt.text))
            action.setCheckable(True)
            action.setChecked(True)
            action.setData(prompt.text)
        self.menu.popup(self.frame.mapToGlobal(qt.QPoint(0, self.frame.height)))

    def _onMember(self, action: Any) -> None:
        gone = next(prompt for prompt in self.chip.prompts if prompt.text == action.data())
        self.edited.emit(self, self.chip.without(gone))

    @staticmethod
    def _text(chip: Chip, possible: int, why: str) -> str:
        name = _shortened(chip.name)
        if len(chip.prompts) > 1 and (chip.side is None or 0 < possible < len(chip.prompts)):
            count = str(possible) if possible == len(chip.prompts) else f"{possible}/{len(chip.prompts)}"
            name = f"{name} ▸ {count}"
        local = "" if chip.isFreeText or chip.isTaught else localName(chip.name)
        if local and local != chip.name:
            name = f"{name} · {_shortened(local)}"
        return f"{name} · {why}" if why else name

    @staticmethod
    def _toolTip(chip: Chip, modality: Modality, labels: ModelLabels) -> str:
        lines = []
        for prompt in chip.prompts:
            why = _only(chip) if prompt.modality != modality else labels.reason((prompt,))
            name = withLocalName(prompt.text) if prompt.trained else prompt.text
            lines.append(f"{name} ({why})" if why else name)
        if chip.isFreeText:
            lines.append(_("Free text: SAT was not trained on this. Check the result carefully."))
        elif chip.isTaught:
            lines.append(_("A word that was taught from examples."))
        elif chip.side is not None:
            lines.append(_("Click: left, right, both"))
        elif len(chip.prompts) > 1:
            lines.append(_("Click: choose among them"))
        return "\n".join(lines)

    @staticmethod
    def _spoken(chip: Chip, possible: int, why: str) -> str:
        if why:
            return _("{name}, {why}, will be left out").format(name=chip.name, why=why)
        if len(chip.prompts) > 1 and chip.side is None:
            return _("{name}, {count} structures").format(name=chip.name, count=possible)
        return chip.name


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _only(chip: Chip) -> str:
    names = dict.fromkeys(MODALITY_TITLES[prompt.modality] for prompt in chip.prompts)
    return _("{modality} only").format(modality=", ".join(names))


class _ChipKeys(qt.QObject):
    """Del and Backspace remove a chip, the arrows go to its neighbours."""

    def __init__(self, chip: ChipWidget, parent: Any) -> None:
        qt.QObject.__init__(self, parent)
        self.chip: ChipWidget | None = chip

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if self.chip is None or event.type() != qt.QEvent.KeyPress:
            return False
        if event.key() in (qt.Qt.Key_Delete, qt.Qt.Key_Backspace):
            self.chip.remove()
            return True
        if event.key() in (qt.Qt.Key_Left, qt.Qt.Key_Right):
            self.chip.moved.emit(self.chip, 1 if event.key() == qt.Qt.Key_Right else -1)
            return True
        if event.key() in (qt.Qt.Key_Return, qt.Qt.Key_Enter) and not event.modifiers() & qt.Qt.ControlModifier:
            self.chip.button.click()
            return True
        return False
