"""How a row of the popup looks: what matched in bold on the left, modality and evidence on the right."""

from __future__ import annotations

from typing import Any

import qt

from SATSegmentLib.gui.popup_rows import Row

_MARGIN = 6
_BOLD_IS_WIDER = 1.1
_LEFT = qt.Qt.AlignVCenter | qt.Qt.AlignLeft
_RIGHT = qt.Qt.AlignVCenter | qt.Qt.AlignRight


class RowDelegate(qt.QStyledItemDelegate):
    """Paints `rows[index.row()]` in the palette's colours only."""

    def __init__(self, parent: Any) -> None:
        qt.QStyledItemDelegate.__init__(self, parent)
        self.rows: tuple[Row, ...] = ()

    def sizeHint(self, option: Any, index: Any) -> Any:
        return qt.QSize(200, option.fontMetrics.height() + 8)

    def paint(self, painter: Any, option: Any, index: Any) -> None:
        if not 0 <= index.row() < len(self.rows):
            return
        row = self.rows[index.row()]
        painter.save()
        selected = bool(option.state & qt.QStyle.State_Selected)
        group = qt.QPalette.Active if row.enabled else qt.QPalette.Disabled
        if selected:
            painter.fillRect(option.rect, option.palette.brush(qt.QPalette.Active, qt.QPalette.Highlight))
        role = qt.QPalette.HighlightedText if selected and row.enabled else qt.QPalette.Text
        painter.setPen(option.palette.color(group, role))
        area = option.rect.adjusted(_MARGIN, 0, -_MARGIN, 0)
        right = self._evidence(row, option.fontMetrics, area.width())
        painter.setFont(option.font)
        painter.drawText(area, _RIGHT, right)
        used = option.fontMetrics.horizontalAdvance(right)
        self._paintName(painter, option, area.adjusted(0, 0, -used - 2 * _MARGIN, 0), row)
        painter.restore()

    def _evidence(self, row: Row, metrics: Any, width: int) -> str:
        """As much of it as the name leaves room for; at least the modality, or the reason.

        The number of scans gives way to the name that matched; evidence and "finding" only to the structure's own name.
        """
        whole = sum(metrics.horizontalAdvance(text) for text, _ in segments(row))
        own = metrics.horizontalAdvance(row.name)
        for place, text in enumerate(row.evidenceVariants()):
            name = (own if place else whole) * _BOLD_IS_WIDER
            if name + metrics.horizontalAdvance(text) + 2 * _MARGIN <= width:
                return text
        return row.least

    def _paintName(self, painter: Any, option: Any, area: Any, row: Row) -> None:
        bold = qt.QFont(option.font)
        bold.setBold(True)
        x = area.left()
        for text, isBold in segments(row):
            font = bold if isBold else option.font
            metrics = qt.QFontMetrics(font)
            room = area.right() - x
            if room <= 0:
                return
            painter.setFont(font)
            shown = metrics.elidedText(text, qt.Qt.ElideRight, room)
            painter.drawText(qt.QRect(x, area.top(), room, area.height()), _LEFT, shown)
            x += metrics.horizontalAdvance(shown)
            if shown != text:
                return


def segments(row: Row) -> list[tuple[str, bool]]:
    """The row's name in pieces, with whether each is bold; where another name matched, that one follows, and the
    name in the user's language comes last.
    """
    pieces: list[tuple[str, bool]] = [] if row.matched == row.name else [(f"{row.name}  ", False)]
    at = 0
    for start, end in row.spans:
        pieces += [(row.matched[at:start], False), (row.matched[start:end], True)]
        at = end
    pieces.append((row.matched[at:], False))
    if row.local and row.local not in (row.name, row.matched):
        pieces.append((f"  {row.local}", False))
    return [(text, isBold) for text, isBold in pieces if text]
