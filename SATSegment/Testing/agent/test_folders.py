"""Only what lies in the allowed folders is read or written, whatever the path looks like."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from SATSegmentLib.agent.folders import Folders, NotAllowed


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("allowed/deep", "allowed2", "other"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("allowed/scan.nii", "allowed/deep/scan.nii", "other/secret.nii"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "allowed/link.nii").symlink_to(tmp_path / "other/secret.nii")
    (tmp_path / "allowed/linked").symlink_to(tmp_path / "other")
    (tmp_path / "allowed/inner.nii").symlink_to(tmp_path / "allowed/scan.nii")
    (tmp_path / "allowed2/series").mkdir()
    (tmp_path / "allowed2/series/1.dcm").symlink_to(tmp_path / "other/secret.nii")
    return tmp_path


@pytest.mark.parametrize("name", ["scan.nii", "deep/scan.nii", "deep", "./scan.nii"])
def test_what_lies_inside_is_read_by_either_name(place: Path, name: str) -> None:
    folders = Folders([place / "allowed", place / "allowed2"])
    assert folders.scan(name) == place / "allowed" / name
    assert folders.scan(str(place / "allowed" / name))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../other/secret.nii",
        "deep/../scan.nii",
        "deep/../../other/secret.nii",
        "/etc/passwd",
        "{place}/other/secret.nii",
        "{place}/allowed/../other/secret.nii",
        "{place}/allowedx",
        "link.nii",
        "linked/secret.nii",
        "inner.nii",
        "missing.nii",
        "series",
        "scan.nii\0.txt",
        "~/scan.nii",
    ],
)
def test_everything_else_is_refused_in_the_same_words(place: Path, name: str) -> None:
    folders = Folders([place / "allowed", place / "allowed2"])
    with pytest.raises(NotAllowed) as caught:
        folders.scan(name.format(place=place))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["scan.nii", "link.nii", "linked/new.seg.nrrd", "../new.seg.nrrd", "no/new.seg.nrrd"])
def test_results_replace_nothing_and_stay_inside(place: Path, name: str) -> None:
    with pytest.raises(NotAllowed):
        Folders([place / "allowed"]).result(name)
    assert Folders([place / "allowed"]).result("deep/new.seg.nrrd") == place / "allowed/deep/new.seg.nrrd"


def test_an_allowed_folder_may_itself_be_a_link(place: Path) -> None:
    (place / "mine").symlink_to(place / "allowed")
    folders = Folders([place / "mine"])
    assert folders.scan("scan.nii").read_bytes() == b"x"
    with pytest.raises(NotAllowed):
        Folders([place / "nowhere"])
    assert os.path.islink(place / "mine")
