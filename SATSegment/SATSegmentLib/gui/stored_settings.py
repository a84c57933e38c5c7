"""What the user has chosen once, kept in Slicer's settings and not in the scene."""

from __future__ import annotations

from typing import Any

import qt
import slicer

_GROUP = "SATSegment"


def readSetting(key: str, default: Any) -> Any:
    """A setting of this module; `default` where it was never chosen."""
    return slicer.util.settingsValue(f"{_GROUP}/{key}", default)


def writeSetting(key: str, value: Any) -> None:
    """Keep a setting of this module."""
    qt.QSettings().setValue(f"{_GROUP}/{key}", value)
