"""`qt.QFileDialog` as PythonQt gives it: a path is one text, and nobody has to click."""

# The names are those of the class that is stood in for.

from __future__ import annotations

from typing import Any, ClassVar


class QFileDialog:
    """Answers what a test has put into `answers`, in order; an empty text is what Cancel gives."""

    answers: ClassVar[list[str]] = []
    asked: ClassVar[list[str]] = []

    @classmethod
    def getSaveFileName(cls, parent: Any = None, caption: str = "", folder: str = "", filter: str = "") -> str:
        return cls._answer(caption)

    @classmethod
    def getOpenFileName(cls, parent: Any = None, caption: str = "", folder: str = "", filter: str = "") -> str:
        return cls._answer(caption)

    @classmethod
    def getExistingDirectory(cls, parent: Any = None, caption: str = "", folder: str = "") -> str:
        return cls._answer(caption)

    @classmethod
    def _answer(cls, caption: str) -> str:
        cls.asked.append(caption)
        if not cls.answers:
            raise AssertionError(f"a dialog was opened that the test did not expect: {caption}")
        return cls.answers.pop(0)
