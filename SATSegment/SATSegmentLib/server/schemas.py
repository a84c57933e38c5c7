"""The JSON that crosses: what the OpenAPI page shows, and what is checked before anything is done."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from SATSegmentLib.engine.api import RunOptions
from SATSegmentLib.errors import PromptError, ScanError
from SATSegmentLib.grid.cropped_mask import CroppedMask
from SATSegmentLib.server.scans import ScanHead
from SATSegmentLib.types import (
    DEFAULT_OVERLAP,
    DEFAULT_THRESHOLD,
    MOST_OVERLAP,
    FeatureStorage,
    Modality,
    Orientation,
    Prompt,
    WindowRule,
)

_LONGEST_NAME = 500
# A word of SAT-Pro has 4 kB.
_WORD_LETTERS = 1 << 21
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Name of a scan by its content.")]
RunName = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", description="Name of a run.")]
_Size = Annotated[int, Field(ge=1, le=1 << 20)]
_Number = Annotated[float, Field(allow_inf_nan=False)]
_Row = Annotated[list[_Number], Field(min_length=4, max_length=4)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorDetail(_Model):
    """What happened and what to do."""

    kind: str = Field(description='Type of the error: "PromptError", "NotKept", "LimitExceeded", ...')
    message: str
    remedy: str = ""
    details: dict[str, Any] = {}


class ErrorAnswer(_Model):
    """Any answer that is not a success."""

    error: ErrorDetail


class HelloAnswer(_Model):
    """Which version the server speaks, and what it has."""

    protocol: int
    satsegment: str
    changes: dict[str, str]
    models: list[str]
    devices: list[str]
    chunk_bytes: int
    lease_seconds: float
    research_use_only: Literal[True] = True


class ScanBody(_Model):
    """A scan, before its voxels: they follow in pieces. Nothing that names a patient belongs in here."""

    dtype: str = Field(pattern=r"^([<>][iuf][248]|\|[iub]1)$", description="NumPy's name of the voxels' type: \"<i2\".")
    shape: Annotated[list[_Size], Field(min_length=3, max_length=3)] = Field(description="In memory order.")
    transposed: bool = Field(False, description="Whether that order is IJK and not KJI.")
    ijk_to_ras: Annotated[list[_Row], Field(min_length=4, max_length=4)]
    unit: str = Field("", max_length=40)

    def head(self) -> ScanHead:
        """The scan's head.

        Raises
        ------
        ScanError
            The affine is not one.
        """
        affine = np.array(self.ijk_to_ras, np.float64)
        if not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise ScanError("The scan's affine is not one: its last row is not 0, 0, 0, 1.", "Give a 4x4 affine.")
        k, j, i = self.shape
        return ScanHead(np.dtype(self.dtype), (k, j, i), self.transposed, affine, self.unit)


class ScanAnswer(_Model):
    """How much of a scan is here."""

    scan: Digest
    complete: bool
    missing: list[int] = Field(description="Numbers of the pieces that are still to be sent.")
    chunk_bytes: int = Field(description="Of each piece but the last.")


class LeaseBody(_Model):
    """Which scans a client still wants."""

    scans: Annotated[list[Digest], Field(max_length=1000)]


class LeaseAnswer(_Model):
    """Which of them are here."""

    kept: list[Digest]
    seconds: float = Field(description="Until the next heartbeat has to come.")


class PromptBody(_Model):
    """One structure."""

    text: str = Field(max_length=_LONGEST_NAME)
    modality: Modality
    orientation: Orientation = "RAS"
    concept: str = Field("", max_length=_LONGEST_NAME)
    trained: bool = True

    def prompt(self) -> Prompt:
        """The prompt."""
        return Prompt(self.text, self.modality, self.orientation, self.concept, self.trained)


class OptionsBody(_Model):
    """How a run is done; what it may keep, and where, is the server's to say."""

    model: Annotated[str, Field(max_length=_LONGEST_NAME, description="Name of a model of the server; no folder.")] = (
        "demo"
    )
    device: Annotated[str, Field(max_length=20)] = "auto"
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    feature_storage: FeatureStorage = "native"
    threshold: Annotated[float, Field(ge=0, le=1)] = DEFAULT_THRESHOLD
    grid: Literal["own", "sat"] = "own"
    keep_probabilities: bool = False
    windows: WindowRule = "all"
    overlap: Annotated[float, Field(ge=0, le=MOST_OVERLAP)] = DEFAULT_OVERLAP

    def options(self) -> RunOptions:
        """The options."""
        return RunOptions(**self.model_dump())


class MaskBody(_Model):
    """A mask on a scan's grid, cropped, eight voxels to a byte."""

    bits: str = Field(description="numpy.packbits of the box in C order, compressed with zlib, in base64.")
    offset: Annotated[list[Annotated[int, Field(ge=0, le=1 << 20)]], Field(min_length=3, max_length=3)]
    shape: Annotated[list[Annotated[int, Field(ge=0, le=1 << 20)]], Field(min_length=3, max_length=3)]

    def on_grid(self, shape: tuple[int, ...]) -> np.ndarray:
        """The mask on a grid of this shape.

        Raises
        ------
        ScanError
            It does not lie in it, or is damaged.
        """
        if any(start + size > whole for start, size, whole in zip(self.offset, self.shape, shape, strict=True)):
            raise ScanError("A mask does not lie within its scan.", "Send the mask of this scan.")
        expected = (math.prod(self.shape) + 7) // 8
        try:
            unpack = zlib.decompressobj()
            bits = unpack.decompress(base64.b64decode(self.bits, validate=True), expected + 1)
        except (zlib.error, binascii.Error, ValueError) as error:
            raise ScanError("A mask is damaged.", "Send it again.") from error
        if len(bits) != expected:
            raise ScanError("A mask is damaged.", "Send it again.")
        z, y, x = self.offset
        k, j, i = self.shape
        return CroppedMask(np.frombuffer(bits, np.uint8), (z, y, x), (k, j, i)).on_grid(shape)


class ExampleBody(_Model):
    """A scan that is here, and the structure in it."""

    scan: Digest
    mask: MaskBody


class _RunBody(_Model):
    key: str = Field(
        min_length=8, max_length=64, description="Of the client's choice: asked for twice with one key, it is run once."
    )
    options: OptionsBody = OptionsBody()


class SegmentBody(_RunBody):
    """Structures to find, or (kind "plan") to say what that would take."""

    kind: Literal["segment", "plan"]
    prompts: Annotated[list[PromptBody], Field(max_length=100_000)]
    words: Annotated[list[Annotated[str, Field(max_length=_WORD_LETTERS)]], Field(max_length=1000)] = Field(
        [], description="Contents of the files of taught words among the prompts, in base64."
    )

    def word_contents(self) -> tuple[bytes, ...]:
        """The words' files.

        Raises
        ------
        PromptError
            One is not base64.
        """
        try:
            return tuple(base64.b64decode(word, validate=True) for word in self.words)
        except (binascii.Error, ValueError) as error:
            raise PromptError("The file of a taught word is damaged.", "Send it again.") from error


class TeachBody(_RunBody):
    """A word to learn; the scan of the address is the first example's."""

    kind: Literal["teach"]
    name: str = Field(max_length=_LONGEST_NAME)
    modality: Modality
    orientation: Orientation = "RAS"
    examples: Annotated[list[ExampleBody], Field(min_length=1, max_length=64)]


class StructureAnswer(_Model):
    """What was found of one structure; its mask is in the result."""

    text: str
    modality: Modality
    trained: bool
    status: Literal["found", "empty", "unknown"]
    voxels: int
    volume_ml: float
    mean_probability: float
    max_probability: float
    cut_by: list[str]


class RunAnswer(_Model):
    """A run, and what came of it so far."""

    run: RunName
    kind: Literal["segment", "plan", "teach"]
    state: Literal["waiting", "running", "done", "failed"]
    seconds: float = Field(description="On the device, so far.")
    error: ErrorDetail | None = None
    structures: list[StructureAnswer] | None = None
    plan: dict[str, Any] | None = None


class HealthAnswer(_Model):
    """Whether it works."""

    status: Literal["ok"] = "ok"
