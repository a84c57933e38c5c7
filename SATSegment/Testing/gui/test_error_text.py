"""The panel decides by an error's reason, not by its words, and says it in the user's language."""

from __future__ import annotations

import pytest

from SATSegmentLib.engine.api import EngineError, EngineReason
from SATSegmentLib.errors import OutOfMemory, PromptError, from_dict
from SATSegmentLib.gui.error_text import errorText

# What only its own words tell: a damaged message, another version, a server's limit, what nobody expected.
ENGLISH = {
    EngineReason.MESSAGE,
    EngineReason.VERSION,
    EngineReason.NOT_KEPT,
    EngineReason.LIMIT,
    EngineReason.UNEXPECTED,
}


@pytest.mark.parametrize("reason", EngineReason)
def test_every_reason_has_a_sentence_of_the_panel_or_keeps_the_engines_own(reason: EngineReason) -> None:
    error = from_dict(EngineError("Words of the engine.", "A remedy.", reason, "numpy").as_dict())
    assert isinstance(error, EngineError)
    assert error.reason is reason
    assert (errorText(error) == "Words of the engine. A remedy.") == (reason in ENGLISH)


def test_a_reason_of_a_newer_version_counts_as_unexpected() -> None:
    data = EngineError("It failed.").as_dict()
    data["details"]["reason"] = "sunspots"
    error = from_dict(data)
    assert isinstance(error, EngineError)
    assert error.reason is EngineReason.UNEXPECTED


def test_memory_is_told_by_its_device() -> None:
    assert "computer ran out" in errorText(OutOfMemory("x", device="cpu"))
    assert "cuda:0 ran out" in errorText(OutOfMemory("x", device="cuda:0"))


def test_other_errors_keep_their_words() -> None:
    assert errorText(PromptError("No prompts were given.", "Name one.")) == "No prompts were given. Name one."
    assert "went wrong: 7" in errorText(ValueError(7))
