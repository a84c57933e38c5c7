"""Taught words of these tests do not land in the user's own folder, nor come from there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from SATSegmentLib.anatomy.personal.user_words import WORDS_VARIABLE, words_home


@pytest.fixture(autouse=True)
def own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of words, empty."""
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME" if sys.platform == "darwin" else "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    monkeypatch.delenv(WORDS_VARIABLE, raising=False)
    return words_home()
