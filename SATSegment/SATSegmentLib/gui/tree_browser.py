"""The tree of all structures, with check boxes and search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from SATSegmentLib import anatomy
from SATSegmentLib.gui.language import languageChanged, userLanguage, withLocalName
from SATSegmentLib.gui.model_labels import ANY_LABEL, ModelLabels
from SATSegmentLib.gui.popup_rows import rowOfPrompt
from SATSegmentLib.gui.signal import Connections, Signal
from SATSegmentLib.gui.tree_model import Branch, branches
from SATSegmentLib.types import MODALITY_TITLES, Modality, Prompt

_TEXT = qt.Qt.UserRole
_HITS = 80


class TreeBrowser:
    """A window beside the panel; a check is a chip at once. What SAT cannot do here is grey, with the reason.

    The box of a group stands for the structures below it; where one of these is itself made of others (kidney: left and
    right kidney), it alone is meant.

    Signals
    -------
    toggled(added, removed): prompts that were checked and unchecked.
    """

    def __init__(self, parent: Any, modality: Modality) -> None:
        self.toggled = Signal()
        self._modality = modality
        self._labels = ANY_LABEL
        self._connections = Connections()
        self._items: dict[str, Any] = {}
        self._checked: set[str] = set()
        self._groups: list[Any] = []
        self.dialog = qt.QDialog(parent)
        self.dialog.setWindowTitle(_("All structures"))
        self.dialog.resize(420, 560)
        column = qt.QVBoxLayout(self.dialog)
        self.searchBox = ctk.ctkSearchBox(self.dialog)
        self.searchBox.setPlaceholderText(_("Search"))
        self.searchBox.setAccessibleName(_("Search in the tree"))
        column.addWidget(self.searchBox)
        self.tree = qt.QTreeWidget(self.dialog)
        self.tree.setAccessibleName(_("Structures"))
        self.tree.setColumnCount(2)
        self.tree.setHeaderLabels([_("Structure"), _("Training")])
        self.tree.setUniformRowHeights(True)
        self.tree.setIndentation(14)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        self.tree.header().setSectionResizeMode(1, qt.QHeaderView.ResizeToContents)
        column.addWidget(self.tree)
        self._connections.connect(self.searchBox, "textChanged(QString)", self._onSearch)
        self._connections.connect(self.tree, "itemChanged(QTreeWidgetItem*,int)", self._onItemChanged)
        languageChanged.connect(self._refill)

    def open(self, prompts: Iterable[Prompt]) -> None:
        """Show the window, with these prompts checked and the focus in the search line."""
        if not self._items:
            self._fill()
        self.setChecked(prompts)
        self.dialog.show()
        self.dialog.activateWindow()
        self.searchBox.setFocus()

    def setModality(self, modality: Modality) -> None:
        self._modality = modality
        if self._items:
            self._fill()

    def setLabels(self, labels: ModelLabels) -> None:
        """What the chosen model does not know is grey."""
        self._labels = labels
        self._refill()

    def setChecked(self, prompts: Iterable[Prompt]) -> None:
        """Check these and nothing else; `toggled` is not emitted."""
        self._checked = {prompt.text for prompt in prompts if prompt.modality == self._modality} & set(self._items)
        self.tree.blockSignals(True)
        for text, item in self._items.items():
            if self._label(text) is not None:
                self._check(item, text in self._checked)
        self._checkGroups()
        self.tree.blockSignals(False)

    def items(self) -> dict[str, Any]:
        """The tree's entries by trained string."""
        return dict(self._items)

    def release(self) -> None:
        """Let go of everything, so that the panel can be made anew."""
        self._connections.release()
        languageChanged.disconnect(self._refill)
        self.toggled.disconnectAll()
        self._items, self._groups = {}, []
        self.dialog.hide()
        self.dialog.deleteLater()

    # --- filling

    def _refill(self) -> None:
        """Show the tree anew, with what is checked still checked."""
        checked = self._checked
        if self._items:
            self._fill()
            self.setChecked(label.prompt() for label in map(self._label, checked) if label is not None)

    def _fill(self) -> None:
        self.tree.blockSignals(True)
        self.tree.clear()
        self._items, self._groups = {}, []
        for branch in branches():
            self._add(branch, self.tree.invisibleRootItem())
        self._checkGroups()
        self.tree.blockSignals(False)
        self._onSearch(self.searchBox.text)

    def _add(self, branch: Branch, parent: Any) -> None:
        item = qt.QTreeWidgetItem()
        parent.addChild(item)
        item.setText(0, withLocalName(branch.name) if branch.text else branch.name)
        item.setToolTip(0, branch.about)
        if branch.text:
            self._items[branch.text] = item
            item.setData(0, _TEXT, branch.text)
            self._dress(item, branch.text)
        else:
            self._groups.append(item)
        for child in branch.children:
            self._add(child, item)

    def _dress(self, item: Any, text: str) -> None:
        label = self._label(text)
        if label is None:
            names = [MODALITY_TITLES[found.modality] for found in anatomy.load_labels() if found.text == text]
            here = anatomy.find_label(self._modality, text) is not None
            item.setText(1, _("not in this model") if here else _("{modality} only").format(modality=", ".join(names)))
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            for column in (0, 1):
                item.setForeground(column, self.tree.palette.brush(qt.QPalette.Disabled, qt.QPalette.Text))
            return
        item.setText(1, rowOfPrompt(label.prompt()).evidence())
        item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
        item.setCheckState(0, qt.Qt.Unchecked)

    def _label(self, text: str) -> anatomy.Label | None:
        """The label that can be asked for here; None where the modality or the model has none of this name."""
        label = anatomy.find_label(self._modality, text)
        return label if label is not None and self._labels.knows(label.prompt()) else None

    @staticmethod
    def _check(item: Any, checked: bool) -> None:
        item.setCheckState(0, qt.Qt.Checked if checked else qt.Qt.Unchecked)

    # --- what the user does

    def _onItemChanged(self, item: Any, column: int) -> None:
        """A box was clicked; the boxes of the group and in it follow, then one signal says all."""
        checked = item.checkState(0) == qt.Qt.Checked
        text = item.data(0, _TEXT)
        changed = [name for name in ([text] if text else self._members(item)) if checked != (name in self._checked)]
        prompts = tuple(label.prompt() for label in map(self._label, changed) if label is not None)
        self._checked ^= {prompt.text for prompt in prompts}
        self.tree.blockSignals(True)
        for prompt in prompts:
            self._check(self._items[prompt.text], checked)
        self._checkGroups()
        self.tree.blockSignals(False)
        if prompts:
            self.toggled.emit(prompts if checked else (), () if checked else prompts)

    def _members(self, group: Any) -> list[str]:
        """The structures that a group's box stands for."""
        found: list[str] = []
        for child in (group.child(i) for i in range(group.childCount())):
            text = child.data(0, _TEXT)
            if text and self._label(text) is not None:
                found.append(text)
            else:
                found += self._members(child)
        return found

    def _checkGroups(self) -> None:
        """A group is checked where all it stands for is, and half checked where some is."""
        for group in self._groups:
            members = self._members(group)
            count = len(self._checked.intersection(members))
            if not members:
                group.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
                continue
            group.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled | qt.Qt.ItemIsUserCheckable)
            some = qt.Qt.PartiallyChecked if count else qt.Qt.Unchecked
            group.setCheckState(0, qt.Qt.Checked if count == len(members) else some)

    def _onSearch(self, text: str) -> None:
        """Show what search finds, in whatever modality, and the way to it; all of it for an empty text."""
        if not self._items:
            return
        wanted = set(self._items) if not text.strip() else set(self._hits(text))
        for name, item in self._items.items():
            item.setHidden(name not in wanted and not _anyBelow(item, wanted))
        for item in reversed(self._groups):
            item.setHidden(not _anyBelow(item, wanted))
        if text.strip():
            self.tree.expandAll()
        else:
            self.tree.collapseAll()

    def _hits(self, text: str) -> Iterator[str]:
        for hit in anatomy.search(text, self._modality, _HITS, language=userLanguage()):
            yield hit.name
            yield from (prompt.text for prompt in hit.prompts)


def _anyBelow(item: Any, wanted: set[str]) -> bool:
    below = (item.child(i) for i in range(item.childCount()))
    return any(child.data(0, _TEXT) in wanted or _anyBelow(child, wanted) for child in below)
