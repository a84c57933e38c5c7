"""What writers of results are told, and what they say they have written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from SATSegmentLib.types import Prompt


@dataclass(frozen=True)
class WrittenSegmentation:
    """What went into a file.

    Attributes
    ----------
    path : Path
        The file.
    segment_ids : tuple[str, ...]
        Ids of the segments, in the order of the results.
    not_found : tuple[str, ...]
        Texts of the prompts whose result was empty; they are no segments.
    layers : int
        Number of labelmaps the segments share.
    """

    path: Path
    segment_ids: tuple[str, ...]
    not_found: tuple[str, ...]
    layers: int


@dataclass(frozen=True)
class Algorithm:
    """What made the masks.

    Attributes
    ----------
    name : str
        Name of the model.
    version : str
        Version of this software.
    sha256 : str
        Digest of the model's weights; may be empty.
    """

    name: str
    version: str
    sha256: str = ""


@dataclass(frozen=True)
class ResultDetails:
    """What is known of one result beside the run that a file is of.

    Attributes
    ----------
    name : str
        What the user calls the structure; empty where it keeps the name of its prompt.
    edited : bool
        Whether the mask was changed by hand since.
    algorithm : Algorithm | None
        What made it, where that is not what made the others.
    """

    name: str = ""
    edited: bool = False
    algorithm: Algorithm | None = None


Details = Mapping[Prompt, ResultDetails]
NO_DETAILS: Details = MappingProxyType({})
