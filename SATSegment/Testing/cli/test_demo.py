"""`satsegment demo`, from the command to its files, with the embedded model on the real held-out head."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import slicerio
from PIL import Image as Picture

from SATSegmentLib.cli import main
from SATSegmentLib.cli.demo import dice, reference_masks
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import Image, Prompt


@dataclass(frozen=True)
class Demo:
    """What one run of the command left."""

    folder: Path
    said: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lambda *words, **how: lines.append(" ".join(map(str, words))))
        assert main(["demo", "--out", str(folder), "--device", "cpu"]) == 0
    return Demo(folder, "\n".join(lines))


@pytest.fixture(scope="module")
def masks(demo: Demo) -> dict[str, np.ndarray]:
    """The written masks by name, on the head's whole grid, KJI."""
    written = slicerio.read_segmentation(demo.folder / "brain.seg.nrrd")
    shape = read_scan(resource_path("Demo/itk_t1.nii.gz")).array.shape
    found = {}
    for segment in written["segments"]:
        voxels = written["voxels"]
        layer = voxels if voxels.ndim == 3 else voxels[segment.get("layer", 0)]
        whole = np.zeros(shape, bool)
        low = written["referenceImageExtentOffset"][::-1]
        part = (layer == segment["labelValue"]).transpose(2, 1, 0)
        whole[tuple(slice(a, a + n) for a, n in zip(low, part.shape, strict=True))] = part
        found[segment["name"]] = whole
    return found


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    return reference_masks(read_scan(resource_path("Demo/itk_t1_samseg.nii.gz")))


@pytest.mark.long
def test_written_masks_agree_with_the_reference_of_the_held_out_head(masks, reference):
    # Judged from the file, not from what the command says of itself.
    scores = [dice(masks.get(name, np.zeros_like(mask)), mask) for name, mask in reference.items()]
    assert len(scores) >= 20
    assert np.mean(scores) >= 0.75


@pytest.mark.long
def test_left_is_left(masks, reference):
    left = [name for name in reference if name.startswith("left ") and name in masks]
    assert len(left) >= 8
    for name in left:
        other = name.replace("left ", "right ")
        assert dice(masks[name], reference[name]) > 10 * dice(masks[name], reference[other]), name
        assert dice(masks[other], reference[other]) > 10 * dice(masks[other], reference[name]), name


@pytest.mark.long
def test_table_says_what_the_file_holds(demo, masks, reference):
    for name, mask in masks.items():
        row = re.search(rf"^{re.escape(name)}  +found +([\d.]+) +([\d.]+) +[\d.]+$", demo.said, re.MULTILINE)
        assert row, name
        assert float(row[1]) == pytest.approx(mask.sum() * 12 / 1000, abs=0.051)  # 2 x 2 x 3 mm
        assert float(row[2]) == pytest.approx(dice(mask, reference[name]), abs=0.0051)


@pytest.mark.long
def test_command_says_what_the_model_is_and_is_not(demo):
    assert "silver-standard" in demo.said
    assert "not of SAT's quality" in demo.said
    assert "Research use only" in demo.said
    assert "nothing of a CT is trained" in demo.said


@pytest.mark.long
def test_chest_ct_comes_back_to_one_place_however_it_is_stored(demo):
    row = re.search(r"axes: (\d+) voxels on the CT's own 128 x 128 x 34 grid, Dice ([\d.]+)", demo.said)
    assert row
    assert int(row[1]) > 1000
    assert float(row[2]) >= 0.99


@pytest.mark.long
def test_free_text_finds_what_the_label_finds_and_keeps_to_its_side(demo):
    row = re.search(
        r'^Free text "the patient\'s hippocampus on the left": Dice ([\d.]+) to "left', demo.said, re.MULTILINE
    )
    assert row
    assert float(row[1]) >= 0.85


@pytest.mark.long
def test_picture_is_drawn(demo):
    picture = np.asarray(Picture.open(demo.folder / "brain.png").convert("RGB")).astype(int)
    assert min(picture.shape[:2]) >= 600
    panels = picture[:, : picture.shape[1] * 3 // 4]  # the rest is the legend
    colourful = panels.max(axis=2) - panels.min(axis=2) > 24
    for half in np.array_split(colourful, 2, axis=0):
        for panel in np.array_split(half, 2, axis=1):
            assert panel.mean() > 0.02  # segments over each slice, and in 3-D


@pytest.mark.long
def test_existing_files_are_kept_unless_told_otherwise(demo, capsys):
    before = (demo.folder / "brain.png").read_bytes()
    assert main(["demo", "--out", str(demo.folder)]) == 2
    assert "already exists" in capsys.readouterr().err
    assert (demo.folder / "brain.png").read_bytes() == before


def test_folder_that_cannot_be_made_is_an_error_not_a_traceback(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["demo", "--out", str(tmp_path / "file" / "demo")]) == 2
    assert "cannot be made" in capsys.readouterr().err


def test_mirrored_head_gives_mirrored_masks(reference):
    """A network that knew the sides by the scan's storage, or by position alone, would fail here."""
    head = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    axis = int(np.argmax(np.abs(head.ijk_to_ras[0, :3])))  # the one that runs left-right
    mirrored = Image(np.flip(head.array, 2 - axis).copy(), head.ijk_to_ras)
    [result] = Segmenter.load("demo").segment(mirrored, [Prompt("left putamen", "mri")])
    whole = result.whole_mask(head.array.shape)
    truth = np.flip(reference["right putamen"], 2 - axis)
    assert dice(whole, truth) > 10 * dice(whole, np.flip(reference["left putamen"], 2 - axis))
