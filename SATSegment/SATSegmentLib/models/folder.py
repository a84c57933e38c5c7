"""A model on disk: a folder with the network, the queries of known prompts, and a description.

model.json            what the model is (`ModelDescription`)
network.safetensors   the weights in half precision
bank.safetensors      query vectors of the trained labels (optional)
text/                 text encoder and tokenizer for free text (optional)
"""

from __future__ import annotations

import dataclasses
import json
import operator
import re
from dataclasses import dataclass
from pathlib import Path

from SATSegmentLib.errors import CheckpointError, ModelNotFound
from SATSegmentLib.files import reading_folder, unreadable
from SATSegmentLib.types import ORIENTATIONS, RELEASED_SPACING, RELEASED_WINDOW, Orientation

DESCRIPTION_FILE = "model.json"
NETWORK_FILE = "network.safetensors"
BANK_FILE = "bank.safetensors"
TEXT_FOLDER = "text"

# Models of one family are prepared and prompted in the same way. "sat": CT, MRI and PET in their own units; "cvpr25":
# five modalities, 0 to 255, of the CVPR 2025 challenge.
FAMILY = "sat"
CHALLENGE_FAMILY = "cvpr25"
_MOST_LETTERS = 100
_LEAST_MM, _MOST_MM = 0.01, 100.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ModelDescription:
    """What cannot be read off the tensors.

    Attributes
    ----------
    name : str
        For people ("SAT-Nano").
    window : tuple[int, int, int]
        Voxels of a window along the oriented axes.
    spacing : tuple[float, float, float]
        Millimetres of a voxel along the oriented axes.
    orientations : tuple[Orientation, ...]
        Axis orders the model was trained in.
    network_sha256 : str
        Of the checkpoint the network was converted from.
    text_sha256 : str
        Of the text checkpoint it was trained with; empty where none was given.
    network_file_sha256 : str
        Of network.safetensors itself, so that another network cannot take its place unnoticed.
    family : str
        Models of one family are prepared and prompted in the same way.
    knows_labels : bool
        Whether the model is known to have been trained on the labels in its bank; where it is not, no result is marked
        as a trained label.
    """

    name: str
    window: tuple[int, int, int] = RELEASED_WINDOW
    spacing: tuple[float, float, float] = RELEASED_SPACING
    orientations: tuple[Orientation, ...] = ORIENTATIONS
    network_sha256: str = ""
    text_sha256: str = ""
    network_file_sha256: str = ""
    family: str = FAMILY
    knows_labels: bool = True

    def to_json(self) -> str:
        """The content of model.json."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def read_description(folder: Path, family: str | None = FAMILY) -> ModelDescription:
    """The description of a model folder.

    Parameters
    ----------
    folder : Path
        The folder.
    family : str, optional
        The family that the caller can run; None for any.

    Raises
    ------
    ModelNotFound
        The folder is not a converted model.
    CheckpointError
        model.json cannot be read, is damaged, or of a family this code does not know.
    """
    path = folder / DESCRIPTION_FILE
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ModelNotFound(
            f"{folder.name or folder} is not a model folder: it has no {DESCRIPTION_FILE}.",
            "Make one from a released checkpoint with `satsegment convert`.",
        ) from error
    except OSError as error:
        raise unreadable(CheckpointError, path, error) from error
    try:
        content = json.loads(text.decode("utf-8"))
        description = ModelDescription(
            **{
                **content,
                "window": tuple(operator.index(side) for side in content["window"]),
                "spacing": tuple(float(side) for side in content["spacing"]),
                "orientations": tuple(content["orientations"]),
            }
        )
        _check_values(description)
    except (ValueError, KeyError, TypeError, RecursionError, AttributeError) as error:
        raise CheckpointError(
            f"The {DESCRIPTION_FILE} of the model {folder.name} is damaged.", "Convert the checkpoint again."
        ) from error
    if family is not None and description.family != family:
        remedy = {
            CHALLENGE_FAMILY: "Its cases and scans are segmented with `satsegment challenge`.",
            FAMILY: "Its scans are segmented with `satsegment segment`.",
        }
        raise CheckpointError(
            f"The model {folder.name} is of the family {description.family!r}, not {family!r}.",
            remedy.get(description.family, "Update SATSegment."),
        )
    return description


def _check_values(description: ModelDescription) -> None:
    sizes = (len(description.window), len(description.spacing))
    if sizes != (3, 3) or any(side < 1 for side in description.window):
        raise ValueError("window and spacing have three positive numbers each")
    if not all(_LEAST_MM <= side <= _MOST_MM for side in description.spacing):
        raise ValueError("a spacing is not a possible one")
    if not description.orientations or not set(description.orientations) <= set(ORIENTATIONS):
        raise ValueError("unknown orientations")
    # The name reaches terminals, logs and files.
    name = description.name
    if not isinstance(name, str) or not name.strip() or len(name) > _MOST_LETTERS or not name.isprintable():
        raise ValueError("no name")
    sums = (description.network_sha256, description.text_sha256, description.network_file_sha256)
    if not all(isinstance(one, str) and (one == "" or _SHA256.fullmatch(one)) for one in sums):
        raise ValueError("no checksum")
    if not isinstance(description.family, str) or not isinstance(description.knows_labels, bool):
        raise ValueError("no family, or no answer to whether its labels are known")


def fingerprint(folder: Path) -> tuple[object, ...]:
    """Changes whenever a file of a model folder is replaced or rewritten; reads no file.

    Raises
    ------
    CheckpointError
        The folder cannot be looked into, or is being replaced.
    """
    with reading_folder(CheckpointError, folder):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        found = [(str(path.relative_to(folder)), path.stat()) for path in files]
    stamps = tuple((name, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for name, one in found)
    return (str(folder.resolve()), *stamps)
