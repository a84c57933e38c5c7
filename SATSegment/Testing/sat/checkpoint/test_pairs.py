"""Which released model a network is: told, refused, or asked; and never a wrong pair in silence."""

from __future__ import annotations

import dataclasses

import pytest

from SATSegmentLib.errors import PairMismatch, ReleaseQuestion
from SATSegmentLib.models.releases import RELEASES
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.checkpoint.pairs import TextSide, check_names, doubt_of_pair, told_release


def side(kind: str, name: str = "text.pth", family: str = "sat") -> TextSide:
    return TextSide(kind, family, name)


@pytest.mark.parametrize(
    ("shape", "network", "text"),
    [
        ("umamba", "umamba.pth", side("ours")),
        ("umamba", "umamba.pth", side("basebert")),
        ("swinunetr", "swin.pth", side("ours")),
        ("pro", "pro.pth", side("medcpt")),
        ("pro", "pro.pth", side("ours", family="cvpr25")),
        ("nano", "nano.pth", side("medcpt")),
        ("nano", "nano.pth", side("ours", family="cvpr25")),
        ("nano", "nano_cvpr25_v0.pth", side("ours")),
        ("nano", "unet.pth", side("medcpt", "basebert.pth")),  # named after one, with the vocabulary of the other
        ("nano", "unet.pth", side("basebert", "unet_cpt_text.pth")),
        ("umamba", "mine.pth", side("medcpt", family="cvpr25")),
    ],
)
def test_wrong_pairs_are_refused(shape, network, text):
    with pytest.raises(PairMismatch):
        told_release(NAMED_SPECS[shape], network, text)


@pytest.mark.parametrize(
    ("shape", "network", "text", "release", "knows"),
    [
        ("umamba", "any.pth", side("medcpt"), "umamba-cpt", False),
        ("swinunetr", "any.pth", side("medcpt", "cpt.pth"), "swinunetr-cpt", False),
        ("pro", "SAT_Pro.pth", side("ours", "text_encoder.pth"), "sat-pro", True),
        ("pro", "renamed.pth", side("ours"), "sat-pro", True),
        ("nano", "nano.pth", side("ours", "nano_text_encoder.pth"), "sat-nano", True),
        ("nano", "nano_cvpr25_v0.pth", side("ours", "t.pth", "cvpr25"), "sat-nano-cvpr25", False),
    ],
)
def test_right_pairs_are_told_and_leave_nothing_open(shape, network, text, release, knows):
    found = told_release(NAMED_SPECS[shape], network, text)
    assert (found.name, found.knows_labels) == (release, knows)
    assert doubt_of_pair(found, network, text) == ""


@pytest.mark.parametrize(
    ("widths", "network", "said", "warns"),
    [
        (NAMED_SPECS["nano"], "nano.pth", None, True),
        (NAMED_SPECS["nano"], "nano_cvpr25_v0.pth", None, True),
        (NAMED_SPECS["nano"], "nano.pth", "sat-nano", False),
        (NAMED_SPECS["pro"], "SAT_Pro.pth", None, False),
        (NAMED_SPECS["umamba"], "mine.pth", None, False),
        (dataclasses.replace(NAMED_SPECS["nano"], mask_dim=64), "nano.pth", None, False),
        (dataclasses.replace(NAMED_SPECS["nano"], mask_dim=64), "nano_cvpr25_v0.pth", None, False),
    ],
)
def test_what_a_name_alone_tells_is_warned_about_where_others_look_the_same(widths, network, said, warns):
    # A network of the challenge that was renamed nano.pth passes for SAT-Nano: nothing in its tensors tells.
    doubt = doubt_of_pair(told_release(widths, network, None, said), network, None, said)
    assert ("By its name alone it was taken for" in doubt) == warns


@pytest.mark.parametrize(("kind", "release"), [("medcpt", "unet-cpt"), ("basebert", "unet-basebert")])
def test_a_renamed_network_that_its_text_encoder_tells_is_warned_about(kind, release):
    found = told_release(NAMED_SPECS["nano"], "renamed.pth", side(kind))
    assert found.name == release
    assert "came from the same folder" in doubt_of_pair(found, "renamed.pth", side(kind))


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        (side("ours"), {"sat-nano", "unet-ours"}),
        (side("ours", family="cvpr25"), {"sat-nano-cvpr25"}),
        (None, {"sat-nano", "unet-ours", "unet-cpt", "unet-basebert", "sat-nano-cvpr25"}),
    ],
)
def test_a_network_that_cannot_be_told_from_sat_nanos_is_asked_for(text, candidates):
    with pytest.raises(ReleaseQuestion) as caught:
        told_release(NAMED_SPECS["nano"], "renamed.pth", text)
    assert set(caught.value.candidates) == candidates
    assert "--release" in caught.value.remedy


@pytest.mark.parametrize("release", RELEASES, ids=lambda one: one.name)
def test_what_is_said_is_taken_where_the_shape_and_the_text_encoder_allow_it(release):
    text = side(release.text, family=release.family)
    assert told_release(NAMED_SPECS[release.shape], "renamed.pth", text, release.name) == release
    assert doubt_of_pair(release, "renamed.pth", text, release.name) == ""
    with pytest.raises(PairMismatch, match="shape"):
        told_release(NAMED_SPECS["umamba" if release.shape != "umamba" else "pro"], "x.pth", text, release.name)
    other = side(release.text, family="sat" if release.family == "cvpr25" else "cvpr25")
    with pytest.raises(PairMismatch):
        told_release(NAMED_SPECS[release.shape], "renamed.pth", other, release.name)


def test_nothing_is_known_of_widths_that_were_never_released():
    spec = dataclasses.replace(NAMED_SPECS["umamba"], features=(8, 8, 12, 16, 24, 40))
    assert told_release(spec, "mine.pth", side("ours")) is None
    assert doubt_of_pair(None, "mine.pth", side("ours")) == ""


@pytest.mark.parametrize("network", ["nano.pth", "SAT_Pro.pth"])
def test_a_released_name_makes_no_other_network_a_released_one(network):
    with_other_widths = dataclasses.replace(NAMED_SPECS["nano"], features=(8, 8, 12, 16, 24, 40))
    assert not told_release(with_other_widths, network, side("ours")).knows_labels
    for backbone in ("umamba", "swinunetr"):
        narrow = dataclasses.replace(NAMED_SPECS[backbone], mask_dim=12)
        assert told_release(narrow, network, side("ours")) is None
        with pytest.raises(PairMismatch, match="five modalities"):
            told_release(narrow, network, side("ours", family="cvpr25"))


def test_a_file_that_is_said_to_be_another_than_its_name_says_is_warned_about():
    said = told_release(NAMED_SPECS["nano"], "nano.pth", side("medcpt"), "unet-cpt")
    assert "nano.pth is the name of SAT-Nano" in doubt_of_pair(said, "nano.pth", side("medcpt"), "unet-cpt")
    said = told_release(NAMED_SPECS["nano"], "nano_cvpr25_v0.pth", side("ours"), "sat-nano")
    assert "CVPR 2025" in doubt_of_pair(said, "nano_cvpr25_v0.pth", side("ours"), "sat-nano")


def test_names_of_two_released_models_are_refused_before_anything_is_read():
    with pytest.raises(PairMismatch, match="SAT-Pro"):
        check_names("nano.pth", "text_encoder.pth")
    check_names("nano.pth", "nano_text_encoder.pth")
    check_names("mine.pth", "text_encoder.pth")
