"""Every error a user can meet, as a type of its own.

An error says what happened and what to do next, and it crosses the worker's pipe as data
(`as_dict`), so this module imports nothing heavy and both sides of the wall can use it.
"""

from __future__ import annotations


class SATSegmentError(Exception):
    """Base of all errors that are shown to a user.

    Parameters
    ----------
    message: what happened, in one sentence.
    remedy: what the user can do about it; may be empty.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def as_dict(self) -> dict[str, str]:
        """The error as plain data: its kind, message and remedy."""
        return {"kind": type(self).__name__, "message": self.message, "remedy": self.remedy}


class ScanError(SATSegmentError):
    """The scan cannot be read or is not something SAT can segment."""


class GeometryError(ScanError):
    """The scan's grid (spacing, axes) is not one that masks can be mapped back to."""


class PromptError(SATSegmentError):
    """A prompt is empty, given twice, or unknown in the chosen modality."""


class CheckpointError(SATSegmentError):
    """A weight file is not what was asked for."""


class TruncatedCheckpoint(CheckpointError):
    """The file ends too early, or is damaged."""


class HostileCheckpoint(CheckpointError):
    """The file would run code when it is opened."""


class WrongCheckpointKind(CheckpointError):
    """The file is a valid weight file, but of another kind (text encoder, pretraining, ...)."""


class IncompleteCheckpoint(CheckpointError):
    """Tensors are missing, have another shape, or are unknown."""


class PairMismatch(CheckpointError):
    """Network and text encoder (or embedding bank) do not belong together."""


class ModelNotFound(SATSegmentError):
    """No model under this name or folder."""


class DeviceError(SATSegmentError):
    """The device or precision that was asked for is not there."""


class OutOfMemory(SATSegmentError):
    """The device or the machine ran out of memory."""


class OutputError(SATSegmentError):
    """The result cannot be written where it was asked for."""


class Cancelled(SATSegmentError):
    """The user cancelled the run."""

    def __init__(self) -> None:
        super().__init__("The run was cancelled.", "Nothing was changed.")


class SATSegmentWarning(UserWarning):
    """Something a user should look at before trusting the result; the run goes on."""
