"""The language in which the panel shows structures' names: the user's own choice, else Slicer's."""

from __future__ import annotations

from functools import cache

import qt

from SATSegmentLib.anatomy.languages.display import TITLES, language_of, local_name
from SATSegmentLib.gui.signal import Signal

# "de", "zh-Hant", ...; "en" shows the trained names only. Empty, or not set: as Slicer itself.
SETTING = "SATSegment/language"

# The user chose another language; what shows names shows them anew.
languageChanged = Signal()


@cache
def userLanguage() -> str:
    """A key of `TITLES`; read once, and again after `chooseLanguage`."""
    chosen = chosenLanguage()
    if chosen in TITLES:
        return chosen
    # Slicer's own language, where its user has set one; else the system's.
    return language_of(str(qt.QSettings().value("language") or "") or str(qt.QLocale().name()))


def chosenLanguage() -> str:
    """What the user chose for the names; empty where they are to be as Slicer itself."""
    return str(qt.QSettings().value(SETTING) or "")


def chooseLanguage(language: str) -> None:
    """Show names in this language from now on; empty for Slicer's own."""
    qt.QSettings().setValue(SETTING, language)
    userLanguage.cache_clear()
    languageChanged.emit()


def localName(name: str) -> str:
    """What a trained string is called in the user's language; empty where that is English, or has no name for it."""
    return local_name(name, userLanguage())


def withLocalName(name: str) -> str:
    """A name with the user's own beside it: "left kidney · Niere links"."""
    local = localName(name)
    return f"{name} · {local}" if local else name
