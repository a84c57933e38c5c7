"""The language in which the panel shows structures' names: the user's own choice, else Slicer's."""

from __future__ import annotations

from functools import cache

import qt

from SATSegmentLib.anatomy.languages.display import TITLES, language_of

# "de", "zh-Hant", ...; "en" shows the trained names only. Empty, or not set: as Slicer itself.
SETTING = "SATSegment/language"


@cache
def userLanguage() -> str:
    """A key of `TITLES`; read once, as Slicer itself takes up another language only when it starts."""
    settings = qt.QSettings()
    chosen = str(settings.value(SETTING) or "")
    if chosen in TITLES:
        return chosen
    # Slicer's own language, where its user has set one; else the system's.
    return language_of(str(settings.value("language") or "") or str(qt.QLocale().name()))
