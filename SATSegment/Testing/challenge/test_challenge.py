"""The CVPR 2025 challenge's cases: the reference's images, windows and masks, and its container."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from challenge.challenge_models import write_case

from helpers.language_models import mpnet_folder, small_text_checkpoint
from helpers.models import TINY_WINDOW, tiny_weights, write_tiny_checkpoint
from helpers.seeded import GOLDEN, manifest, write_released
from SATSegmentLib import Image
from SATSegmentLib.challenge.container import Case, read_case, write_segmentation
from SATSegmentLib.challenge.grid import file_labels, network_image
from SATSegmentLib.challenge.segmenter import ChallengeSegmenter
from SATSegmentLib.errors import (
    GeometryError,
    OutputError,
    PromptError,
    SATSegmentWarning,
    ScanError,
    WrongCheckpointKind,
)
from SATSegmentLib.inference.preprocess import prepare
from SATSegmentLib.inference.windows import cover
from SATSegmentLib.sat.checkpoint.released import build_network, read_network
from SATSegmentLib.sat.text.checkpoint import read_text_weights
from SATSegmentLib.sat.text.encoder import TextEncoder

MODALITIES = {"CT": "ct", "MR": "mri", "Microscopy": "microscopy", "US": "us", "PET": "pet"}


@pytest.fixture(scope="module")
def golden():
    return np.load(GOLDEN / "cvpr_pipeline.npz")


def case_of(golden, name: str) -> Case:
    x, y, z = (float(side) for side in golden[f"{name}_spacing"])
    return Case(golden[f"{name}_imgs"], (x, y, z), {1: "a", 2: "b", 4: "c"}, MODALITIES[name])


@pytest.mark.long
def test_phrases_and_modalities_are_embedded_as_the_reference_does(tmp_path):
    about, golden = manifest("cvpr_text"), np.load(GOLDEN / "variant_text.npz")
    file = write_released(tmp_path / "text_encoder_cvpr25_v0.pth", about["keys"])
    folder = mpnet_folder(tmp_path / "mpnet")
    with pytest.raises(WrongCheckpointKind, match="CVPR 2025"):
        TextEncoder.load(file, folder)
    encoder = TextEncoder.load(file, folder, family="cvpr25")
    batch = encoder.tokenizer.batch(about["labels"], encoder.max_tokens)
    np.testing.assert_array_equal(batch.input_ids, golden["cvpr_input_ids"])
    np.testing.assert_array_equal(batch.attention_mask, golden["cvpr_attention_mask"])
    for modality in MODALITIES.values():
        ours = encoder.embed(about["labels"], [modality] * len(about["labels"]))
        np.testing.assert_allclose(ours, golden[f"cvpr_embed_{modality}"], rtol=0, atol=1e-4)
    with pytest.raises(PromptError):
        encoder.embed(["liver"], ["xray"])


def test_a_text_encoder_of_four_modalities_is_not_the_challenges(tmp_path):
    with pytest.raises(WrongCheckpointKind, match="4 modalities"):
        read_text_weights(small_text_checkpoint(tmp_path / "text.pth"), family="cvpr25")


def test_a_network_named_after_the_challenge_is_taken_for_what_the_caller_says(tmp_path):
    file = write_tiny_checkpoint(tmp_path / "nano_cvpr25_v0.pth")
    with pytest.raises(WrongCheckpointKind, match="CVPR 2025"):
        read_network(file)
    assert read_network(file, family="cvpr25").architecture == tiny_weights().architecture


@pytest.mark.parametrize("name", list(MODALITIES))
def test_image_and_windows_are_the_references(golden, name):
    image = network_image(case_of(golden, name))
    assert image.shape == tuple(golden[f"{name}_shape"])
    # Stored in half precision, at up to 255.
    assert np.abs(image[::2, ::2, ::2] - golden[f"{name}_image_sub"]).max() <= 0.13
    padded = tuple(max(side, least) for side, least in zip(image.shape, TINY_WINDOW, strict=True))
    windows = [[y.start, y.stop, x.start, x.stop, z.start, z.stop] for y, x, z in cover(padded, TINY_WINDOW)]
    assert windows == golden[f"{name}_windows"].tolist()


@pytest.mark.parametrize("name", list(MODALITIES))
def test_masks_are_the_references(golden, name):
    case = case_of(golden, name)
    image = network_image(case)
    segmenter = ChallengeSegmenter(build_network(tiny_weights(), TINY_WINDOW))
    found = segmenter.probabilities(image, golden["queries"])
    # Stored in half precision, between 0.5 and 1 in steps of 5e-4.
    assert np.abs(found[:, ::3, ::3, ::3] - golden[f"{name}_prob_sub"]).max() <= 1e-3
    count = found.size
    expected = np.unpackbits(golden[f"{name}_mask_packbits"], count=count).astype(bool).reshape(found.shape)
    masks = found > 0.5
    for ours, theirs in zip(masks, expected, strict=True):
        assert 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum()) >= 0.999
    # Label values 1, 2 and 4, added up: the reference's way, in which their bits tell the masks apart.
    together = sum(value * mask.astype(np.uint8) for value, mask in zip((1, 2, 4), masks, strict=True))
    restored = file_labels(together, case)
    assert restored.shape == case.images.shape
    assert (restored == golden[f"{name}_segs"]).mean() >= 0.999


def test_the_most_probable_phrase_gets_a_voxel_that_several_claim(golden, monkeypatch):
    case = case_of(golden, "US")
    case = dataclasses.replace(case, images=case.images[:20])  # one window
    segmenter = ChallengeSegmenter(build_network(tiny_weights(), TINY_WINDOW), FixedQueries(golden["queries"]))
    found = segmenter.probabilities(network_image(case), golden["queries"])
    labels = segmenter.segment(case)
    best = np.asarray([1, 2, 4])[found.argmax(0)] * (found.max(0) > 0.5)
    np.testing.assert_array_equal(labels, file_labels(best.astype(np.uint16), case))
    assert set(np.unique(labels)) <= {0, 1, 2, 4}
    monkeypatch.setattr("SATSegmentLib.challenge.segmenter._SUM_BYTES", 1)  # one phrase at a time
    np.testing.assert_array_equal(segmenter.segment(case), labels)


class FixedQueries:
    """Stands where a text encoder of gigabytes would: the golden queries, whatever the words."""

    def __init__(self, queries: np.ndarray) -> None:
        self._queries = queries

    def embed(self, texts, modalities):
        assert len(texts) == len(modalities) == len(self._queries)
        return self._queries


def test_a_case_is_read_as_the_challenge_stores_it(tmp_path):
    case = read_case(write_case(tmp_path / "MR_case.npz"))
    assert (case.modality, case.spacing, case.images.shape) == ("mri", (1.0, 1.0, 2.0), (20, 30, 40))
    assert case.phrases == {1: "Liver", 3: "Left kidney"}
    assert read_case(write_case(tmp_path / "scan.npz"), "microscopy").modality == "microscopy"


def test_what_else_a_case_holds_is_not_read(tmp_path):
    # The challenge's files for clicks and boxes, and those to train with, hold a list of dictionaries and the answers.
    boxes = np.array([{"z_min": 1, "z_max": 3}], object)
    case = read_case(write_case(tmp_path / "MR_case.npz", boxes=boxes, gts=np.ones((20, 30, 40), np.uint8)))
    assert case.phrases == {1: "Liver", 3: "Left kidney"}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("scan.npz", {}, "does not tell its modality"),
        ("CT_a.npz", {"imgs": np.full((2, 2, 2), -1000, np.int16)}, "not all from 0 to 255"),
        ("CT_a.npz", {"imgs": np.full((2, 2, 2), np.nan)}, "not all from 0 to 255"),
        ("CT_a.npz", {"imgs": np.zeros((2, 2), np.uint8)}, r"are \(2, 2\); a case has three axes"),
        ("CT_a.npz", {"imgs": np.zeros((2, 2, 2, 3), np.uint8)}, r"are \(2, 2, 2, 3\); a case has three axes"),
        ("CT_a.npz", {"imgs": np.zeros((2, 0, 2), np.uint8)}, "three axes"),
        ("CT_a.npz", {"imgs": np.ones((2, 2, 2), bool)}, "of the type bool"),
        ("CT_a.npz", {"imgs": np.ones((2, 2, 2), complex)}, "of the type complex"),
        ("CT_a.npz", {"imgs": np.full((2, 2, 2), "7")}, "of the type <U1"),
        ("CT_a.npz", {"imgs": np.full((2, 2, 2), 7, np.uint8)}, "the same value"),
        ("CT_a.npz", {"imgs": None}, "no imgs"),
        ("US_a.npz", {"spacing": None}, "no spacing of three numbers"),
        ("US_a.npz", {"spacing": np.ones(2)}, "no spacing of three numbers"),
        ("US_a.npz", {"spacing": np.array(["a", "b", "c"])}, "no spacing of three numbers"),
        ("US_a.npz", {"spacing": np.ones(3, complex)}, "no spacing of three numbers"),
        (
            "CT_a.npz",
            {"spacing": np.full(3, 1e4)},
            "CT_a.npz: By its voxel spacing the scan is 300 x 400 x 200 m large",
        ),
        ("CT_a.npz", {"text_prompts": {"1": "liver", "instance_label": 2}}, "instance_label is 2, neither 0 nor 1"),
        ("CT_a.npz", {"text_prompts": {"1": "liver", "instance_label": "yes"}}, "'yes', neither 0 nor 1"),
        ("CT_a.npz", {"text_prompts": None}, "text_prompts"),
        ("CT_a.npz", {"text_prompts": {"instance_label": 1}}, "text_prompts"),
        ("CT_a.npz", {"text_prompts": {"0": "background"}}, "text_prompts"),
        ("CT_a.npz", {"text_prompts": {"liver": 1}}, "'liver' is no label value"),
        ("CT_a.npz", {"text_prompts": {"70000": "liver"}}, "'70000' is no label value"),
        ("CT_a.npz", {"text_prompts": {1.7: "liver"}}, "1.7 is no label value"),
        ("CT_a.npz", {"text_prompts": {"1_0": "liver"}}, "'1_0' is no label value"),
        ("CT_a.npz", {"text_prompts": {1: "liver", "1": "spleen"}}, "two phrases for label 1"),
        ("CT_a.npz", {"text_prompts": {"01": "liver", "1": "spleen"}}, "two phrases for label 1"),
        ("CT_a.npz", {"text_prompts": {"1": None}}, "phrase of label 1 is no text"),
        ("CT_a.npz", {"text_prompts": {"1": ["liver", "hepatic organ"]}}, "phrase of label 1 is no text"),
        ("CT_a.npz", {"text_prompts": {"1": b"liver"}}, "phrase of label 1 is no text"),
        ("CT_a.npz", {"text_prompts": {"2": "!!!"}}, "phrase of label 2 is no text"),
        ("CT_a.npz", {"text_prompts": ["liver"]}, "damaged"),
    ],
)
def test_what_is_no_case_is_refused(tmp_path, name, changes, message):
    with pytest.raises(ScanError, match=message) as raised:
        read_case(write_case(tmp_path / name, **changes))
    assert raised.value.remedy


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"spacing": np.full(3, 1e4)},
            "MR_case.npz: The voxels are 1e.04 x 1e.04 x 1e.04 mm large, which is implausible",
        ),
        ({"spacing": np.array([1, 1, 1e-4])}, "implausible: check their unit"),
        ({"text_prompts": {"1": "liver", "instance_label": 1}}, "asks for single objects"),
        ({"text_prompts": {"1": "liver", "instance_label": np.bool_(True)}}, "asks for single objects"),
    ],
)
def test_what_is_doubtful_about_a_case_is_warned_about(tmp_path, changes, message):
    with pytest.raises(SATSegmentWarning, match=message):
        read_case(write_case(tmp_path / "MR_case.npz", **changes))
    read_case(write_case(tmp_path / "MR_case.npz"))


def test_a_scan_that_is_too_large_by_its_spacing_is_refused_before_memory_is_taken():
    """As a case is; it ended in advice to close other programs."""
    array = np.random.default_rng(0).normal(100, 300, (20, 30, 40)).astype(np.float32)
    for spacing in (1e3, 1e4):
        with pytest.raises(GeometryError, match="too large to be computed"):
            prepare(Image(array, np.diag([spacing, spacing, spacing, 1])), "ct", "RAS", (1.0, 1.0, 3.0))


class RunsCode:
    def __reduce__(self):
        return print, ("it ran",)


def test_a_case_cannot_run_code(tmp_path, capsys):
    with pytest.raises(ScanError):
        read_case(write_case(tmp_path / "CT_a.npz", text_prompts=np.array({"1": RunsCode()}, dtype=object)))
    assert "it ran" not in capsys.readouterr().out


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "CT_a.npz").write_bytes(b"nothing")
    with pytest.raises(ScanError, match="damaged"):
        read_case(tmp_path / "CT_a.npz")
    with pytest.raises(ScanError, match="no file"):
        read_case(tmp_path / "CT_b.npz")


def test_a_result_holds_segs_and_replaces_nothing(tmp_path):
    labels = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)
    write_segmentation(labels, tmp_path / "CT_a.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "CT_a.npz")["segs"], labels)
    with pytest.raises(OutputError):
        write_segmentation(labels, tmp_path / "CT_a.npz")


def test_the_golden_cases_have_the_challenges_names():
    about = json.loads((GOLDEN / "cvpr_pipeline.json").read_text(encoding="utf-8"))
    assert {name: one["file"].split("_")[0] for name, one in about.items() if name in MODALITIES} == {
        name: name for name in MODALITIES
    }
