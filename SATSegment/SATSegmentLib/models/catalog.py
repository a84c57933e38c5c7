"""The models that are known by name, and where converted models live on this machine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from SATSegmentLib.errors import ModelNotFound, SATSegmentError
from SATSegmentLib.models.folder import DESCRIPTION_FILE, FAMILY, read_description
from SATSegmentLib.resources import resource_path

MODELS_VARIABLE = "SATSEGMENT_MODELS"


@dataclass(frozen=True)
class CatalogEntry:
    """A model that can be asked for by name.

    Attributes
    ----------
    name : str
        What to ask for ("sat-nano").
    title, about : str
        For people.
    embedded : bool
        Whether it comes with this project.
    family : str
        As in `ModelDescription`.
    repository, network, text_encoder, tokenizer : str
        Where its authors publish it (Hugging Face);
        empty for an embedded model.
    """

    name: str
    title: str
    about: str
    embedded: bool = False
    repository: str = ""
    network: str = ""
    text_encoder: str = ""
    tokenizer: str = ""
    family: str = FAMILY

    @property
    def folder(self) -> Path:
        """Where the converted model is, or would be."""
        return resource_path("Models") / self.name if self.embedded else models_home() / self.name

    @property
    def installed(self) -> bool:
        """Whether a converted model is there."""
        # Not Path.is_file: that raises where a folder on the way may not be entered.
        return os.path.isfile(self.folder / DESCRIPTION_FILE)


@cache
def catalog() -> tuple[CatalogEntry, ...]:
    """All models known by name, the embedded one first."""
    content = json.loads(resource_path("Models/catalog.json").read_text(encoding="utf-8"))
    return tuple(CatalogEntry(name, **entry) for name, entry in content.items())


def find_entry(name: str) -> CatalogEntry:
    """The model of the catalog with this name, in any letters' case.

    Raises
    ------
    ModelNotFound
        The catalog has none.
    """
    for entry in catalog():
        if entry.name == name.lower():
            return entry
    names = ", ".join(entry.name for entry in catalog())
    raise ModelNotFound(f"The catalog has no model {name!r}.", f"It has {names}.")


def models_home() -> Path:
    """The folder of converted models: SATSEGMENT_MODELS where it is set, else the user's own data folder."""
    chosen = os.environ.get(MODELS_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    # Here, so that a fresh Slicer, where it is not installed yet, can list the embedded model.
    from platformdirs import user_data_path

    return user_data_path("SATSegment", appauthor=False) / "models"


def installed_models(family: str | None = None) -> list[Path]:
    """All model folders on this machine, the embedded one first.

    Parameters
    ----------
    family : str, optional
        Leave out those of another family, which the caller cannot run; damaged ones stay, and say so when loaded.
    """
    embedded = [entry.folder for entry in catalog() if entry.embedded and entry.installed]
    home = models_home()
    others = sorted(path.parent for path in home.glob(f"*/{DESCRIPTION_FILE}")) if os.path.isdir(home) else []
    return [folder for folder in (*embedded, *others) if family is None or _family(folder) in (family, None)]


def _family(folder: Path) -> str | None:
    try:
        return read_description(folder, family=None).family
    except SATSegmentError:
        return None


def find_model(folder_or_name: str | Path) -> Path:
    """The folder of a model that was asked for by name or by folder.

    Raises
    ------
    ModelNotFound
        Neither a folder nor an installed model.
    """
    for entry in catalog():
        if entry.name == str(folder_or_name).lower():
            if entry.installed:
                return entry.folder
            raise ModelNotFound(
                f"{entry.title} is not installed.",
                f"Get it with `satsegment download {entry.name}`, or in Slicer's panel."
                if entry.repository
                else "Install SATSegment again.",
            )
    named = models_home() / str(folder_or_name)
    # An empty name (a variable of a script that is not set) would be the folder one is in.
    for folder in (Path(folder_or_name).expanduser(), named) if str(folder_or_name) else ():
        if os.path.isdir(folder):
            return folder
    names = ", ".join(entry.name for entry in catalog())
    raise ModelNotFound(
        f"There is no model {str(folder_or_name)!r}.",
        f"Give the folder of a converted model, or one of these names: {names}.",
    )


def absolute_name(folder_or_name: str) -> str:
    """A model's folder with its whole path, which counts from anywhere; a name as it is.

    A name of the catalog is one in any folder, as for `find_model`: `satsegment demo` itself makes a folder "demo".
    """
    name = folder_or_name.lower()
    if any(entry.name == name for entry in catalog()):
        return name
    folder = Path(folder_or_name).expanduser()
    return str(folder.resolve()) if os.path.isdir(folder) else folder_or_name


def checksum_of(folder_or_name: str | Path) -> str:
    """Of the network of a model on this machine (`ModelDescription.network_sha256`); empty where it is not here.

    Words that were taught belong to one model, so who reads names asks for it before the model is loaded.
    """
    try:
        return read_description(find_model(folder_or_name)).network_sha256
    except SATSegmentError:
        return ""
