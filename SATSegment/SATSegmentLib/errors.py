"""Every error a user can meet, as a type of its own.

An error says what happened and what to do next, and it crosses processes as data (`as_dict`, `from_dict`), so this
module imports nothing heavy and both sides of the wall can use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar


class SATSegmentError(Exception):
    """Base of all errors that are shown to a user.

    Parameters
    ----------
    message : str
        What happened, in one sentence.
    remedy : str
        What the user can do about it; may be empty.
    """

    # Names of further attributes, keyword arguments of the constructor too, that programs decide by. JSON values.
    DETAILS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def as_dict(self) -> dict[str, Any]:
        """The error as plain data: its kind, message, remedy and details."""
        details = {name: getattr(self, name) for name in self.DETAILS}
        return {"kind": type(self).__name__, "message": self.message, "remedy": self.remedy, "details": details}


def from_dict(data: Mapping[str, Any], unknown: type[SATSegmentError] = SATSegmentError) -> SATSegmentError:
    """The error that `SATSegmentError.as_dict` described, of the same type.

    Parameters
    ----------
    data : Mapping
        What `as_dict` gave, perhaps in another version of SATSegment.
    unknown : type
        The type of an error whose kind is not known here.
    """
    message, remedy = str(data.get("message", "")), str(data.get("remedy", ""))
    kind = _kinds(SATSegmentError).get(str(data.get("kind", "")), unknown)
    if kind is Cancelled:
        return Cancelled()
    given = data.get("details") or {}
    # Another version may know of more details, or of fewer.
    return kind(message, remedy, **{name: given[name] for name in kind.DETAILS if name in given})


def _kinds(base: type[SATSegmentError]) -> dict[str, type[SATSegmentError]]:
    """All kinds of errors that this process knows, by name."""
    found = {base.__name__: base}
    for kind in base.__subclasses__():
        found.update(_kinds(kind))
    return found


class ScanError(SATSegmentError):
    """The scan cannot be read or is not something SAT can segment."""


class ScanDamaged(ScanError):
    """The scan is not what was sent under its name."""


class GeometryError(ScanError):
    """The scan's grid (spacing, axes) is not one that masks can be mapped back to."""


class PromptError(SATSegmentError):
    """A prompt is empty, given twice, or unknown in the chosen modality."""


class NameReason(StrEnum):
    """Why a name is a question."""

    AMBIGUOUS = "ambiguous"
    NOT_SEGMENTABLE = "not segmentable"
    UNKNOWN = "unknown"


class NameQuestion(PromptError):
    """A name that only a person can decide on.

    Parameters
    ----------
    text : str
        The name as it was written.
    reason : NameReason or str
        Why it is a question.
    candidates : sequence of (str, str)
        (name, modality) of what may be meant, the likeliest first; each can be asked for as it stands.
    """

    DETAILS = ("text", "reason", "candidates")

    def __init__(
        self,
        message: str,
        remedy: str = "",
        text: str = "",
        reason: str = NameReason.UNKNOWN,
        candidates: Iterable[Sequence[str]] = (),
    ) -> None:
        super().__init__(message, remedy)
        self.text = text
        self.reason = NameReason(reason)
        self.candidates = tuple((str(name), str(modality)) for name, modality in candidates)


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


class ReleaseQuestion(CheckpointError):
    """A network may be one of several released ones, and only a person can tell which.

    Parameters
    ----------
    candidates : sequence of str
        Names of the released models it may be.
    """

    DETAILS = ("candidates",)

    def __init__(self, message: str, remedy: str = "", candidates: Iterable[str] = ()) -> None:
        super().__init__(message, remedy)
        self.candidates = tuple(str(name) for name in candidates)


class ModelNotFound(SATSegmentError):
    """No model under this name or folder."""


class DeviceError(SATSegmentError):
    """The device or precision that was asked for is not there."""


class OutOfMemory(SATSegmentError):
    """The device or the machine ran out of memory.

    Parameters
    ----------
    device : str
        Whose memory it was: "cpu" for the computer's, or a GPU ("cuda:0", "mps").
    """

    DETAILS = ("device",)

    def __init__(self, message: str, remedy: str = "", device: str = "cpu") -> None:
        super().__init__(message, remedy)
        self.device = device


class OutputError(SATSegmentError):
    """The result cannot be written where it was asked for."""


class Cancelled(SATSegmentError):
    """The user cancelled the run.

    Parameters
    ----------
    kept : str
        What was written before and stays, and how to go on; empty where nothing was written.
    """

    def __init__(self, kept: str = "") -> None:
        super().__init__("The run was cancelled.", kept or "Nothing was changed.")
        self.kept = kept


class SATSegmentWarning(UserWarning):
    """Something a user should look at before trusting the result; the run goes on."""
