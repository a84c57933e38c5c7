"""The panel's own icons: Slicer has no icon theme, so `QIcon.fromTheme` is empty there.

They are drawn as SVG with the palette's text colour, so that they are seen on a light and on a dark ground alike.
"""

from __future__ import annotations

from typing import Any

import qt

_SHAPES = {
    "tree": '<circle cx="6.5" cy="6.5" r="4.5"/><path d="M10 10 L14.5 14.5"/>',
    "menu": '<path d="M2 4 H14 M2 8 H14 M2 12 H14"/>',
    "remove": '<path d="M4 4 L12 12 M12 4 L4 12"/>',
    "undo": '<path d="M6 3 L2.5 6.5 L6 10 M2.5 6.5 H10 a3.5 3.5 0 0 1 0 7 H6"/>',
    "redo": '<path d="M10 3 L13.5 6.5 L10 10 M13.5 6.5 H6 a3.5 3.5 0 0 0 0 7 H10"/>',
    "export": '<path d="M8 2 V10 M4.5 6.5 L8 10 L11.5 6.5 M2.5 13.5 H13.5"/>',
    "edit": '<path d="M3 13 L3.6 10 L10.8 2.8 L13.2 5.2 L6 12.4 Z"/>',
    "show": '<path d="M1.5 8 Q8 1.5 14.5 8 Q8 14.5 1.5 8 Z"/><circle cx="8" cy="8" r="2"/>',
    "hide": '<path d="M1.5 8 Q8 1.5 14.5 8 Q8 14.5 1.5 8 Z M3 13 L13 3"/>',
    "more": '<path d="M3 8 h0.1 M8 8 h0.1 M13 8 h0.1"/>',
    "teach": '<path d="M1.5 6 L8 3 L14.5 6 L8 9 Z M4.5 7.5 V11 Q8 13.5 11.5 11 V7.5"/>',
    "run": '<path d="M4 2.5 L13 8 L4 13.5 Z"/>',
    "stop": '<path d="M4 4 H12 V12 H4 Z"/>',
    "warning": '<path d="M8 2 L14.5 13.5 H1.5 Z M8 6.5 V9.5 M8 11.6 v0.1"/>',
}
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="none" stroke="{colour}" '
    'stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">{shape}</svg>'
)
_SIZE = 32


def icon(name: str, widget: Any) -> Any:
    """The icon of this name in the colours of the widget's palette; greyed where the widget is disabled.

    Raises
    ------
    KeyError
        There is no such icon.
    """
    result = qt.QIcon()
    for group, mode in ((qt.QPalette.Active, qt.QIcon.Normal), (qt.QPalette.Disabled, qt.QIcon.Disabled)):
        colour = widget.palette.color(group, qt.QPalette.WindowText).name()
        result.addPixmap(_drawn(_SVG.format(colour=colour, shape=_SHAPES[name])), mode)
    return result


def _drawn(svg: str) -> Any:
    pixmap = qt.QPixmap(_SIZE, _SIZE)
    pixmap.loadFromData(qt.QByteArray(svg.encode()), "SVG")
    return pixmap
