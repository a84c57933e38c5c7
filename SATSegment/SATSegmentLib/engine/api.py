"""What an engine is asked, what it answers, and who listens: the same for panel, terminal, Python and server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from SATSegmentLib.anatomy.personal.user_words import word_contents
from SATSegmentLib.anatomy.resolver.names import Structures, prompts_for
from SATSegmentLib.errors import SATSegmentError
from SATSegmentLib.grid.network_grid import GridRule
from SATSegmentLib.inference.run_plan import RunPlan
from SATSegmentLib.models.catalog import checksum_of
from SATSegmentLib.types import (
    DEFAULT_OVERLAP,
    DEFAULT_THRESHOLD,
    Example,
    FeatureStorage,
    Image,
    Modality,
    Orientation,
    Progress,
    Prompt,
    SegmentResult,
    WindowRule,
    check_threshold,
)

DEFAULT_MODEL = "demo"


class EngineReason(StrEnum):
    """Why an engine failed: what programs decide by, and what the panel says in the user's language."""

    BUSY = "busy"
    NOT_STARTED = "not started"
    KILLED = "killed"
    CRASHED = "crashed"
    ENDED = "ended"
    MESSAGE = "message"
    VERSION = "version"
    PACKAGE = "package"
    DENIED = "denied"
    LOST = "lost"
    NOT_KEPT = "not kept"
    LIMIT = "limit"
    UNEXPECTED = "unexpected"


class EngineError(SATSegmentError):
    """An engine could not be started or reached, ended on its own, or met an unexpected error.

    Parameters
    ----------
    reason : EngineReason or str
        Why it failed; a reason that only a newer version knows counts as unexpected.
    subject : str
        What it is about, in no language: the name of a package, an exit code, the text of another program's error.
    """

    DETAILS = ("reason", "subject")

    def __init__(
        self, message: str, remedy: str = "", reason: str = EngineReason.UNEXPECTED, subject: str = ""
    ) -> None:
        super().__init__(message, remedy)
        known = {str(one) for one in EngineReason}
        self.reason = EngineReason(reason) if reason in known else EngineReason.UNEXPECTED
        self.subject = subject


def busy() -> EngineError:
    """The error of an engine that is asked while it works."""
    return EngineError("A run is already in progress.", "Wait for it, or cancel it.", EngineReason.BUSY)


@dataclass(frozen=True)
class RunOptions:
    """How a run is done.

    Attributes
    ----------
    model : str
        Name of an installed model ("demo", "sat-nano", "sat-pro"), or its folder; a server takes names only.
    device : str
        "auto", "cpu", "cuda", "cuda:1" or "mps".
    precision : str
        "auto", "float32", "bfloat16" or "float16", of the image encoder.
    feature_storage : {"native", "uint8"}
        How image features are kept: as they were computed, or in eight bits and half the memory.
    threshold : float
        A voxel belongs to a structure where its probability exceeds this.
    cache_bytes : int or None
        Memory for the scans' image features; half of what is free by default.
    grid : {"own", "sat"}
        Whether the network's grid keeps the scan's first voxel, or is the one of SAT's own preprocessing, to reproduce
        its results (Docs/parity.md).
    keep_probabilities : bool
        Whether results keep the network's probability on the scan's grid (`SegmentResult.probability`); the masks stay
        the same.
    spill : bool
        Whether image features that find no place in memory may go to a private temporary folder.
    windows : {"all", "adaptive"}
        Which of the scan's overlapping windows are looked at: all; or first as few as cover it, then those around what
        is found or nearly found, which takes a fraction of the time for one organ in a body (Docs/performance.md).
    overlap : float
        Share of a window's side that it shares with the next one, 0 to 0.75; SAT itself uses 0.5.

    Raises
    ------
    PromptError
        The threshold is no probability.
    """

    model: str = DEFAULT_MODEL
    device: str = "auto"
    precision: str = "auto"
    feature_storage: FeatureStorage = "native"
    threshold: float = DEFAULT_THRESHOLD
    cache_bytes: int | None = None
    grid: GridRule = "own"
    keep_probabilities: bool = False
    spill: bool = True
    windows: WindowRule = "all"
    overlap: float = DEFAULT_OVERLAP

    def __post_init__(self) -> None:
        check_threshold(self.threshold)


@dataclass(frozen=True, eq=False)
class RunListener:
    """Who hears of a run while it goes on, and may end it. All are called in the thread that asked.

    Attributes
    ----------
    progress : callable or None
        Gets a `Progress` after each step.
    cancel : callable or None
        Asked before each step; where it answers True the run ends with `Cancelled`.
    on_warning : callable or None
        Gets each sentence that a user should read before trusting the result. By default Python's own warnings get it.
    on_plan : callable or None
        Gets the `RunPlan` before the run starts, and again if memory runs out and it goes on with less.
    on_result : callable or None
        Gets the place of a prompt in the request, and its result, as soon as its mask is final, in the order in which
        structures are finished. The mask is that of the answer; statistics, flags and probability come there only.
    """

    progress: Callable[[Progress], None] | None = None
    cancel: Callable[[], bool] | None = None
    on_warning: Callable[[str], None] | None = None
    on_plan: Callable[[RunPlan], None] | None = None
    on_result: Callable[[int, SegmentResult], None] | None = None


@dataclass(frozen=True, eq=False)
class SegmentRequest:
    """Structures to find in a scan.

    Attributes
    ----------
    image : Image
        The scan.
    prompts : tuple of Prompt
        What to segment; each one only once.
    options : RunOptions
        How.
    words : tuple of bytes
        Contents of the files of the taught words among the prompts: the engine may run on another computer.
    """

    image: Image
    prompts: tuple[Prompt, ...]
    options: RunOptions = field(default_factory=RunOptions)
    words: tuple[bytes, ...] = ()

    @classmethod
    def of(
        cls,
        image: Image,
        structures: Structures,
        options: RunOptions | None = None,
        modality: Modality | None = None,
    ) -> SegmentRequest:
        """A request with the taught words that its prompts ask for, read from this computer's folders of words.

        Parameters
        ----------
        structures : str, Prompt, or several of these
            Names that the resolver knows, or prompts.
        modality : {"ct", "mri", "pet"}, optional
            Of the scan; needed where there are names.

        Raises
        ------
        PromptError
            As `anatomy.resolver.names.prompts_for`.
        WordError
            The file of a word cannot be read.
        """
        options = options or RunOptions()
        prompts = prompts_for(structures, modality, model_sha256=checksum_of(options.model))
        return cls(image, prompts, options, word_contents(prompts))


@dataclass(frozen=True, eq=False)
class TeachRequest:
    """A word to learn from examples.

    Attributes
    ----------
    examples : tuple of Example
        Scans, and the structure in each.
    name : str
        What the word is called; SAT must not know it already.
    modality : {"ct", "mri", "pet"}
        Of the scans.
    orientation : str
        Axis order in which the model looks at the scans.
    options : RunOptions
        How; its threshold is not used.
    """

    examples: tuple[Example, ...]
    name: str
    modality: Modality
    orientation: Orientation = "RAS"
    options: RunOptions = field(default_factory=RunOptions)


@dataclass(frozen=True)
class ModelRecord:
    """Which model answered.

    Attributes
    ----------
    name : str
        For people.
    sha256, text_sha256 : str
        Of the checkpoints that network and text encoder were converted from; may be empty.
    torch : str
        PyTorch's version.
    """

    name: str
    sha256: str
    text_sha256: str
    torch: str


@dataclass(frozen=True, eq=False)
class SegmentAnswer:
    """What came of a `SegmentRequest`.

    Attributes
    ----------
    results : tuple of SegmentResult
        One for each prompt, in their order.
    model : ModelRecord
        What gave them.
    encode_seconds : float
        Spent in the image encoder, for all prompts together; 0 where the scan's features were kept from before.
    """

    results: tuple[SegmentResult, ...]
    model: ModelRecord
    encode_seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class FoundStructure:
    """What crosses to the one who asked for each `RunListener.on_result`: the prompt's place, and its result."""

    index: int
    result: SegmentResult


@dataclass(frozen=True, eq=False)
class TeachAnswer:
    """What came of a `TeachRequest`: the content of the word's file (`anatomy.user_words.save_word` keeps it)."""

    word: bytes


class Engine(Protocol):
    """Whatever segments: in this process, in a child process, on a server. One run at a time.

    Every method raises `SATSegmentError`: what the network's side raised, of the same type, or `EngineError` where the
    engine itself failed.
    """

    def segment(self, request: SegmentRequest, listener: RunListener = ...) -> SegmentAnswer:
        """Segment; returns when it is done."""

    def plan(self, request: SegmentRequest, listener: RunListener = ...) -> RunPlan:
        """What `segment` would take with what the engine holds now; nothing is computed yet."""

    def teach(self, request: TeachRequest, listener: RunListener = ...) -> TeachAnswer:
        """Learn a word; returns when it is done."""

    def close(self) -> None:
        """Give back what it holds. A later request starts anew."""
