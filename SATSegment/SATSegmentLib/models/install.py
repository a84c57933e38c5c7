"""The released models on this machine: get them, import them, delete them.

The engine's own process does the work (`engine.tasks`); nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import filecmp
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from SATSegmentLib.errors import ModelNotFound, OutputError, SATSegmentError
from SATSegmentLib.files import atomic_path
from SATSegmentLib.models.catalog import CatalogEntry, models_home
from SATSegmentLib.models.download import Wanted
from SATSegmentLib.models.folder import BANK_FILE, DESCRIPTION_FILE, NETWORK_FILE, TEXT_FOLDER, read_description
from SATSegmentLib.types import Progress

ProgressCallback = Callable[[Progress], None]
CancelCallback = Callable[[], bool]

# config.json says what the language model is; either of the other two holds its words.
_TOKENIZER_FILES = ("config.json", "tokenizer.json", "vocab.txt")
# Where downloads wait until they are whole; inside the models' folder, so that it is on the disk the user chose.
_STAGING = ".downloads"
# Share of the progress bar for the download; the rest is the conversion.
_DOWNLOAD_SHARE = 0.9


@dataclass(frozen=True)
class Sizes:
    """Bytes to download, and bytes on disk once converted; for people, the hub says it exactly."""

    download: float
    converted: float


# As the files' listing shows them; the converted ones are the network in half and the text encoder in full precision.
_SIZES = {
    "sat-nano": Sizes(1.9e9, 0.7e9),
    "sat-pro": Sizes(6.3e9, 1.4e9),
    # Not listed anywhere; its tensors are SAT-Nano's.
    "sat-nano-cvpr25": Sizes(1.9e9, 0.7e9),
}


class ConsentError(SATSegmentError):
    """The user has not agreed to a download."""


def sizes(entry: CatalogEntry) -> Sizes:
    """How much a released model takes."""
    return _SIZES[entry.name]


def notice(entry: CatalogEntry) -> str:
    """What a user must have read before a download."""
    size = sizes(entry)
    return (
        f"{entry.title}: about {size.download / 1e9:.1f} GB are downloaded from the repository {entry.repository} on "
        f"Hugging Face, where its authors published it, and its tokenizer from {entry.tokenizer}. "
        f"Afterwards it takes about {size.converted / 1e9:.1f} GB.\n\n"
        "The authors state no licence for these weights. Without one, you may not have the right to use or to pass "
        "them on; ask the authors, or your institution. They are for research only and are not a medical device.\n\n"
        "No scan and nothing about you is sent: only files are fetched."
    )


def staging_folder(entry: CatalogEntry) -> Path:
    """Where the downloaded parts of a model wait."""
    return models_home() / _STAGING / entry.name


def started_bytes(entry: CatalogEntry) -> int:
    """How much of an unfinished download is here already."""
    return sum(path.stat().st_size for path in staging_folder(entry).rglob("*") if path.is_file())


class TaskRunner(Protocol):
    """Does the heavy part: in a process of its own inside Slicer, in this one in a terminal."""

    def __call__(
        self,
        task: str,
        fields: Mapping[str, Any],
        progress: ProgressCallback | None = None,
        cancel: CancelCallback | None = None,
    ) -> Any:
        """Do a task of `engine.tasks`; returns what it answers, and raises what it raises."""


class Installer:
    """Downloads and converts models.

    Parameters
    ----------
    do : TaskRunner
        Does the heavy part.
    """

    def __init__(self, do: TaskRunner) -> None:
        self._do = do

    def download(
        self,
        entry: CatalogEntry,
        *,
        consent: bool,
        progress: ProgressCallback | None = None,
        cancel: CancelCallback | None = None,
    ) -> Path:
        """Download a released model, check it, convert it; returns its folder.

        Blocks, so Slicer calls it in a thread. A download that was cut, cancelled, or ran out of disk goes on
        where it stopped when it is called again.

        Parameters
        ----------
        consent : bool
            Whether the user has read `notice` and agreed. There is no default on purpose.

        Raises
        ------
        ConsentError
            Without consent; nothing was fetched.
        DownloadError, OutputError, CheckpointError, Cancelled, EngineError
            The model is not installed.
        """
        if not consent:
            raise ConsentError(f"{entry.title} was not downloaded.", "Read the notice and agree to it first.")
        if not entry.repository:
            raise ModelNotFound(f"{entry.title} comes with SATSegment; there is nothing to download.")
        staging = staging_folder(entry)
        _make(staging)
        files = [Wanted(entry.repository, entry.network), Wanted(entry.repository, entry.text_encoder)]
        files += [Wanted(entry.tokenizer, name, optional=name != "config.json") for name in _TOKENIZER_FILES]
        self._do(
            "download",
            {
                "wanted": [dataclasses.asdict(one) for one in files],
                "target": str(staging),
                "spare_bytes": int(sizes(entry).converted),
            },
            _part(progress, 0.0, _DOWNLOAD_SHARE, "downloading: "),
            cancel,
        )
        released = staging / entry.repository
        folder = self._convert(
            entry,
            released / entry.network,
            released / entry.text_encoder,
            staging / entry.tokenizer,
            _part(progress, _DOWNLOAD_SHARE, 1.0, ""),
            cancel,
        )
        shutil.rmtree(staging, ignore_errors=True)
        return folder

    def import_folder(
        self,
        entry: CatalogEntry,
        source: Path,
        progress: ProgressCallback | None = None,
        cancel: CancelCallback | None = None,
    ) -> Path:
        """Install a model from a folder that was carried in; returns its folder. No network is used.

        Parameters
        ----------
        source : Path
            A folder with the released files and the tokenizer's files anywhere below it, or a model folder
            that another machine has converted. It is only read.

        Raises
        ------
        ModelNotFound
            Files are missing, or there are several of one name; the message names them.
        CheckpointError, OutputError, Cancelled, EngineError
            The model is not installed.
        """
        converted = _find_converted(source, entry)
        if converted is not None:
            _make(entry.folder.parent)
            with atomic_path(entry.folder, overwrite=True, folder=True) as folder:
                _copy_model(converted, folder, source)
                # Read whole before the model that is there now goes.
                self._do("verify", {"folder": str(folder)}, progress, cancel)
            return entry.folder
        network, text_encoder = (_find(source, path) for path in (entry.network, entry.text_encoder))
        tokenizer = _find_tokenizer(source, entry.tokenizer)
        parts = {Path(entry.network).name: network, Path(entry.text_encoder).name: text_encoder}
        parts["config.json with tokenizer.json or vocab.txt"] = tokenizer
        if network is None or text_encoder is None or tokenizer is None:
            absent = ", ".join(name for name, path in parts.items() if path is None)
            raise ModelNotFound(
                f"The folder {source.name} lacks {absent}.",
                f"{entry.title} needs {entry.network} and {entry.text_encoder} of {entry.repository}, and config.json, "
                f"tokenizer.json and vocab.txt of {entry.tokenizer}; or a model folder with {DESCRIPTION_FILE}.",
            )
        return self._convert(entry, network, text_encoder, tokenizer, progress, cancel)

    def check_device(self, device: str = "auto") -> dict[str, Any]:
        """Run a tensor operation on the device.

        Returns
        -------
        dict[str, Any]
            {"device", "name", "torch", "memory_bytes"}: what it ran on.

        Raises
        ------
        DeviceError
            The device does not compute; EngineError: PyTorch is missing.
        """
        return dict(self._do("check_device", {"device": device}))

    def _convert(
        self,
        entry: CatalogEntry,
        network: Path,
        text_encoder: Path,
        tokenizer: Path,
        progress: ProgressCallback | None,
        cancel: CancelCallback | None,
    ) -> Path:
        _make(entry.folder.parent)
        self._do(
            "convert",
            {
                "network": str(network),
                "text_encoder": str(text_encoder),
                "language_model": str(tokenizer),
                "out": str(entry.folder),
                "name": entry.title,
            },
            _part(progress, 0.0, 1.0, "converting: "),
            cancel,
        )
        return entry.folder


def delete(entry: CatalogEntry) -> None:
    """Remove a downloaded model and what is left of an unfinished download.

    Raises
    ------
    OutputError
        It comes with SATSegment, or may not be removed.
    """
    if entry.embedded:
        raise OutputError(f"{entry.title} comes with SATSegment and stays.")
    for folder in (entry.folder, staging_folder(entry)):
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            raise OutputError(
                f"{folder} cannot be removed: {error.strerror or error}.", "Ask whoever looks after that folder."
            ) from error


def _part(progress: ProgressCallback | None, start: float, end: float, prefix: str) -> ProgressCallback | None:
    if progress is None:
        return None

    def tell(one: Progress) -> None:
        progress(Progress(start + (end - start) * one.fraction, f"{prefix}{one.stage}", one.seconds_left))

    return tell


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be made: {error.strerror or error}.",
            "Choose another folder for the weights in Settings.",
        ) from error


def _find(source: Path, published: str) -> Path | None:
    name = Path(published).name.lower()
    return _only(source, [path for path in _files(source) if path.name.lower() == name], published, _alike)


def _find_tokenizer(source: Path, published: str) -> Path | None:
    folders = [path.parent for path in _files(source) if path.name == "config.json"]
    found = [one for one in folders if any((one / name).is_file() for name in _TOKENIZER_FILES[1:])]
    return _only(source, found, published, lambda a, b: all(_alike(a / name, b / name) for name in _TOKENIZER_FILES))


def _alike(one: Path, other: Path) -> bool:
    if not (one.is_file() and other.is_file()):
        return one.is_file() == other.is_file()
    return filecmp.cmp(one, other, shallow=False)


def _only(source: Path, found: Sequence[Path], published: str, alike: Callable[[Path, Path], bool]) -> Path | None:
    """The one that lies as it was published, or the only one, copies aside.

    Which of several is meant cannot be guessed: the networks of five releases have equal shapes, and their authors may
    have given several of them one name.
    """
    ends = [part.lower() for part in Path(published).parts]
    placed = [one for one in found if [part.lower() for part in one.relative_to(source).parts][-len(ends) :] == ends]
    if not placed:  # copied by hand, under its own name
        placed = [one for one in found if one.name.lower() == ends[-1]]
    left = placed if len(ends) > 1 and len(placed) == 1 else found
    if not all(alike(left[0], one) for one in left[1:]):
        places = ", ".join(str(one.relative_to(source)) for one in left)
        raise ModelNotFound(
            f"The folder {source.name} has several of {Path(published).name}, and they differ: {places}.",
            "Choose a folder that holds only the files of this model.",
        )
    return left[0] if left else None


def _find_converted(source: Path, entry: CatalogEntry) -> Path | None:
    """A model folder of this very model: a name alone must not make one model pass for another."""
    damaged = None
    for path in (path for path in _files(source) if path.name == DESCRIPTION_FILE):
        try:
            if read_description(path.parent, entry.family).name == entry.title:
                return path.parent
        except SATSegmentError as error:
            # A damaged neighbour must not be in the way of a good one.
            damaged = damaged or error
    if damaged is not None and not any(path.name == Path(entry.network).name for path in _files(source)):
        raise damaged
    return None


def _files(source: Path) -> list[Path]:
    """All files below a folder, without links that lead out of it."""
    inside = source.resolve()
    return [path for path in sorted(source.rglob("*")) if path.is_file() and path.resolve().is_relative_to(inside)]


def _copy_model(model: Path, target: Path, source: Path) -> None:
    """Copy a model's own files, and nothing else that lies beside them."""
    own = {model / name for name in (DESCRIPTION_FILE, NETWORK_FILE, BANK_FILE)}
    for path in _files(source):
        if path in own or path.parent == model / TEXT_FOLDER:
            copy = target / path.relative_to(model)
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)
