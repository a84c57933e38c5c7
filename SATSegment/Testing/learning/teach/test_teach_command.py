"""`satsegment teach`: from files to a word, and the looking after words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from learning.teach.teaching import NAME, ball_example

from helpers.small_model import makeModel
from SATSegmentLib.anatomy.personal.user_words import word_files
from SATSegmentLib.cli import main
from SATSegmentLib.types import Image


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(makeModel(tmp_path_factory.mktemp("model")))


def write(path: Path, image: Image) -> Path:
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    lps = flip @ image.ijk_to_ras
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    array = image.array.astype(np.uint8) if image.array.dtype == bool else image.array
    found = SimpleITK.GetImageFromArray(array)
    found.SetSpacing(spacing.tolist())
    found.SetOrigin(lps[:3, 3].tolist())
    found.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    SimpleITK.WriteImage(found, str(path))
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    example = ball_example()
    scan = write(tmp_path / "Doe^John.nii.gz", example.image)
    return str(scan), str(write(tmp_path / "mask.nii.gz", Image(example.mask, example.image.ijk_to_ras)))


def test_a_word_is_taught_listed_asked_for_shared_and_deleted(
    files: tuple[str, str], model: str, own_words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lesson = ["teach", *files, "--name", NAME, "--modality", "mri", "--model", model]
    assert main(lesson) == 0
    assert "Dice" in capsys.readouterr().out
    (word,) = word_files()
    assert b"Doe" not in word.path.read_bytes()
    assert main(["teach", "--list"]) == 0
    listed = capsys.readouterr().out
    assert NAME in listed
    assert "Tiny" in listed
    out = tmp_path / "out.seg.nrrd"
    ask = ["segment", files[0], "--modality", "mri", "--model", model, "--prompt", "My Implant", "--out", str(out)]
    assert main([*ask, "--report", str(tmp_path / "report.json")]) == 0
    assert "taught from examples" in capsys.readouterr().out
    (row,) = json.loads((tmp_path / "report.json").read_text())["results"]
    assert (row["structure"], row["trained"], row["taught"], row["status"]) == (NAME, False, True, "found")
    # A second lesson of that name is refused before the work, unless it is meant.
    assert main(lesson) == 2
    assert "--overwrite" in capsys.readouterr().err
    shared = tmp_path / "shared.satword"
    shared.write_bytes(word.path.read_bytes())
    assert main(["teach", "--delete", NAME]) == 0
    assert word_files() == ()
    assert main([*ask, "--overwrite"]) == 2
    assert main(["teach", "--import", str(shared)]) == 0
    assert [one.record.name for one in word_files()] == [NAME]
    capsys.readouterr()


def test_a_structure_of_a_label_map_is_named_by_its_values(
    files: tuple[str, str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = ball_example()
    labels = example.mask.astype(np.int16) * 3
    labels[:15][labels[:15] > 0] = 5
    path = str(write(tmp_path / "labels.nii.gz", Image(labels, example.image.ijk_to_ras)))
    lesson = ["teach", files[0], path, "--name", NAME, "--modality", "mri", "--model", model]
    for extra, words in (
        ([], "--segment: 3, 5"),
        (["--segment", "7"], "has no voxel of the value 7"),
        (["--segment", "ball"], "whole numbers"),
    ):
        assert main([*lesson, *extra]) == 2
        assert words in capsys.readouterr().err
    assert main([*lesson, "--segment", "3,5"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["teach"], "SCAN and MASK, --name, --modality"),
        (["teach", "--delete", "nothing"], "No word is called"),
        (["teach", "--import", "nothing.satword"], "cannot be read"),
    ],
)
def test_what_is_missing_is_said(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert words in capsys.readouterr().err


def test_a_mask_of_another_grid_is_refused(
    files: tuple[str, str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = ball_example()
    other = str(write(tmp_path / "other.nii.gz", Image(example.mask[:-1], example.image.ijk_to_ras)))
    assert main(["teach", files[0], other, "--name", NAME, "--modality", "mri", "--model", model]) == 2
    assert "different grids" in capsys.readouterr().err
