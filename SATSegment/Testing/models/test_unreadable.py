"""A model that may not be read, or goes while it is read, is no damaged model: nobody is sent to download it again."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.small_model import makeModel
from SATSegmentLib import Segmenter
from SATSegmentLib.errors import CheckpointError, ModelNotFound, SATSegmentError
from SATSegmentLib.files import reading_folder
from SATSegmentLib.models import catalog
from SATSegmentLib.models.catalog import find_model, installed_models
from SATSegmentLib.models.folder import fingerprint

_NOBODY = 65534


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Not below pytest's own folders, which another user may not enter.
    home = Path(tempfile.mkdtemp())
    home.chmod(0o755)
    monkeypatch.setenv("SATSEGMENT_MODELS", str(home))
    folder = makeModel(home)
    Segmenter.load(folder, "cpu")  # everything that is imported on the way is imported now
    yield folder
    shutil.rmtree(home)


@contextlib.contextmanager
def without_rights() -> Iterator[None]:
    """As a user whom the rights of files concern."""
    if os.geteuid():
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
@pytest.mark.parametrize("name", ["model.json", "network.safetensors", "bank.safetensors", "."])
def test_a_file_without_permission_is_named_with_what_helps(model: Path, name: str) -> None:
    closed = model / name
    closed.chmod(0)
    try:
        with without_rights():
            for load in (lambda: Segmenter.load(model, "cpu"), lambda: Segmenter.load(model.name, "cpu")):
                with pytest.raises(SATSegmentError) as refused:
                    load()
                assert "No permission to read" in str(refused.value)
                assert "Ask its owner" in refused.value.remedy
            catalog.checksum_of(model.name)
            assert name == "." or model in installed_models("sat")
    finally:
        closed.chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_a_folder_of_models_that_may_not_be_entered_has_none_and_breaks_nothing(model: Path) -> None:
    model.parent.chmod(0)
    try:
        with without_rights():
            assert [folder.name for folder in installed_models()] == ["demo"]
            assert not any(entry.installed for entry in catalog.catalog() if not entry.embedded)
            with pytest.raises(ModelNotFound):
                find_model(model)
    finally:
        model.parent.chmod(0o755)


def test_a_folder_that_was_not_copied_whole_is_named_with_what_it_lacks(model: Path) -> None:
    (model / "network.safetensors").unlink()
    with pytest.raises(CheckpointError, match=f"{model.name} has no network.safetensors.* Copy the whole folder"):
        Segmenter.load(model, "cpu")


def test_a_folder_that_goes_while_it_is_read_is_said_to_be_gone(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rglob = Path.rglob

    def gone(self: Path, pattern: str) -> list[Path]:
        found = list(rglob(self, pattern))
        (model / "bank.safetensors").unlink(missing_ok=True)
        return found

    monkeypatch.setattr(Path, "rglob", gone)
    monkeypatch.setattr(Path, "is_file", lambda self: True)
    with pytest.raises(CheckpointError, match="is not there any more"):
        fingerprint(model)


def test_no_name_is_no_model(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(model)
    with pytest.raises(ModelNotFound, match="There is no model ''"):
        find_model("")
    assert find_model(".") == Path(".")


def test_a_name_of_the_catalog_is_no_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As `satsegment demo` leaves it: jobs of a cluster would take it for the model, and --resume for another one.
    (tmp_path / "demo").mkdir()
    (tmp_path / "ours").mkdir()
    monkeypatch.chdir(tmp_path)
    assert catalog.absolute_name("demo") == catalog.absolute_name("Demo") == "demo"
    assert catalog.absolute_name("ours") == str((tmp_path / "ours").resolve())


def test_other_reasons_keep_their_words_and_a_lack_of_memory_its_kind() -> None:
    with (
        pytest.raises(CheckpointError, match=r"m/a cannot be read: .* Check the disk"),
        reading_folder(CheckpointError, Path("m")),
    ):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "m/a")
    with pytest.raises(OSError, match="memory"), reading_folder(CheckpointError, Path("m")):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
