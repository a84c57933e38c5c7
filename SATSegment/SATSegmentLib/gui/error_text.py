"""What the panel says of an error: in the user's language where a program decides by a reason, not by words."""

from __future__ import annotations

from slicer.i18n import tr as _

from SATSegmentLib.engine.api import EngineError, EngineReason
from SATSegmentLib.errors import ModelNotFound, OutOfMemory, SATSegmentError


def errorText(error: BaseException) -> str:
    """What happened and what to do, for the panel's error line.

    Parameters
    ----------
    error : BaseException
        Of a run. An error without a reason of its own speaks English, as the engine wrote it.
    """
    if isinstance(error, OutOfMemory):
        return _outOfMemory(error)
    if isinstance(error, EngineError):
        return _engine(error) or str(error)
    if isinstance(error, ModelNotFound):
        return f"{error.message} " + _("Choose another model in Settings, or install this one again.")
    if isinstance(error, SATSegmentError):
        return str(error)
    return _("Something went wrong: {error}. The log says more.").format(error=error)


def _outOfMemory(error: OutOfMemory) -> str:
    if error.device == "cpu":
        return _(
            "The computer ran out of memory. Nothing was lost. Close other programs, choose a smaller model or fewer "
            "structures, and run it again."
        )
    return _(
        "{device} ran out of memory. Nothing was lost. Close other programs, choose a smaller model, or segment on the "
        "CPU."
    ).format(device=error.device)


def _engine(error: EngineError) -> str:
    """Empty for what only its own words tell: a damaged message, another version."""
    texts = {
        EngineReason.BUSY: _("A run is already in progress. Wait for it, or cancel it."),
        EngineReason.KILLED: _(
            "The segmentation process was ended from outside, by a person or by the system. Nothing was lost. Run it "
            "again. If it happens again, close other programs: the computer may be short of memory."
        ),
        EngineReason.CRASHED: _(
            "The segmentation process crashed ({subject}). Nothing was lost. Run it again; if it happens again, report "
            "it with the log."
        ),
        EngineReason.ENDED: _(
            "The segmentation process ended unexpectedly (exit code {subject}). Nothing was lost. Run it again; if it "
            "happens again, report it with the log."
        ),
        EngineReason.NOT_STARTED: _("Python cannot be started: {subject}. Check the installation."),
        EngineReason.PACKAGE: _("The Python package {subject} is not installed. Install it, then run again."),
        EngineReason.DENIED: _("The server does not know your token. Check the token file in Settings."),
        EngineReason.LOST: _(
            "The server cannot be reached, or the connection was lost. Nothing was lost here. Check the network and "
            "whether the server runs; then run it again."
        ),
    }
    return texts.get(error.reason, "").format(subject=error.subject or "?")
