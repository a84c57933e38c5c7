"""A training's configuration file; the defaults are the full-size recipe. Docs/training.md describes every key."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from SATSegmentLib.learning.data import Recipe
from SATSegmentLib.learning.segmentation.errors import ConfigError
from SATSegmentLib.learning.segmentation.settings import Settings
from SATSegmentLib.learning.segmentation.strict import build
from SATSegmentLib.sat.backbone import Spec, Triple
from SATSegmentLib.sat.backbones.registry import BACKBONES, NAMED_SPECS, kind_named


@dataclass(frozen=True)
class DataConfig:
    """Where the scans are, and how windows are drawn from them.

    Attributes
    ----------
    train : tuple[Path, ...]
        .jsonl files of training records.
    validation : tuple[Path, ...]
        .jsonl files of records to validate on.
    validation_share : float
        Where there are no such files, this share of the patients in `train` is held out.
    cache : Path | None
        Folder for preprocessed scans; None: beside the training's own folder, with
        `-cache` added to its name.
    skip_bad : bool
        Leave bad records out, rather than refuse them all.
    derive_labels : bool
        Whether labels that follow from others (left + right lung -> lung) are trained as well.
    recipe : Recipe
        How windows, prompts and augmentations are drawn; its window is the network's.
    """

    train: tuple[Path, ...]
    validation: tuple[Path, ...] = ()
    validation_share: float = 0.0
    cache: Path | None = None
    skip_bad: bool = False
    derive_labels: bool = True
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not self.train:
            raise ConfigError("train names no file.")
        if not 0 <= self.validation_share < 1:
            raise ConfigError("validation_share must be from 0 to below 1.")
        if self.validation and self.validation_share:
            raise ConfigError("give validation or validation_share, not both.")


@dataclass(frozen=True)
class QueriesConfig:
    """Where the queries come from.

    Attributes
    ----------
    text_encoder : Path | None
        Checkpoint of a text encoder; its language model's files are in the folder `language_model`.
    train_modality : bool
        Whether the modality embedding that is added to the text's features is trained, as SAT does.
    free : bool
        One vector per label, trained with the network, instead of a text encoder: no free text afterwards.
    """

    text_encoder: Path | None = None
    language_model: Path | None = None
    train_modality: bool = True
    free: bool = False

    def __post_init__(self) -> None:
        """Refuse half of a pair, and both ways at once."""
        if (self.text_encoder is None) != (self.language_model is None):
            raise ConfigError("text_encoder and language_model belong together.")
        if self.free and self.text_encoder is not None:
            raise ConfigError("give a text_encoder or free: true, not both.")


@dataclass(frozen=True)
class Config:
    """A whole training.

    Attributes
    ----------
    name : str
        Of the model that comes out.
    data : DataConfig
        See there.
    queries : QueriesConfig
        See there.
    training : Settings
        See there.
    architecture : str | Spec | None
        Name of a released network ("nano", "pro", ...), or widths and depths of one's own; their key `kind`
        names the backbone (a U-Net where it is left out). A fine-tuned network keeps its own.
    window : Triple | None
        Voxels of a window along the network's axes. None: the model's that is fine-tuned, or 288 x 288 x 96.
    spacing : tuple[float, float, float] | None
        Millimetres of a voxel along these axes. None: likewise, or 1 x 1 x 3.
    """

    name: str
    data: DataConfig
    queries: QueriesConfig = field(default_factory=QueriesConfig)
    architecture: str | Spec | None = None
    window: Triple | None = None
    spacing: tuple[float, float, float] | None = None
    training: Settings = field(default_factory=Settings)


def read_config(path: Path) -> Config:
    """Read a YAML file; relative paths in it start from its folder.

    Raises
    ------
    ConfigError
        The file cannot be read, or a key in it is unknown, missing or of the wrong type.
    """
    path = Path(path).expanduser()
    content = _load(path)
    if isinstance(content, dict):
        _refuse_second_window(content)
        architecture = _architecture(content.get("architecture"), path.parent)
        rest = {key: value for key, value in content.items() if key != "architecture"}
        return replace(build(Config, rest, path.parent), architecture=architecture)
    return build(Config, content, path.parent)


def _architecture(content: Any, base: Path) -> str | Spec | None:
    if isinstance(content, dict):
        widths = dict(content)
        kind = kind_named(name := widths.pop("kind", "unet"))
        if kind is None:
            known = ", ".join(one.name for one in BACKBONES)
            raise ConfigError(f"architecture.kind is {name!r}.", f"It can be {known}.")
        return build(kind.spec, widths, base, "architecture")
    if content is None or (isinstance(content, str) and content in NAMED_SPECS):
        return content
    raise ConfigError(f"architecture is {content!r}.", f"It can be {', '.join(NAMED_SPECS)}, or widths and depths.")


def _load(path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise ConfigError("Reading a configuration needs PyYAML.", "pip install 'satsegment[training]'") from error
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path.name} cannot be read: {reason}.", "Check the path.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.name} is not valid YAML: {error}.", "Correct it.") from error


def _refuse_second_window(content: dict[str, Any]) -> None:
    data = content.get("data")
    recipe = data.get("recipe") if isinstance(data, dict) else None
    if isinstance(recipe, dict) and "window" in recipe:
        raise ConfigError("data.recipe.window is unknown.", "Give the window once, as window.")
