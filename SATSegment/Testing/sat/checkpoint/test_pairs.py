"""A network and a text encoder that do not belong together are refused where it can be told, else warned about."""

from __future__ import annotations

import dataclasses

import pytest

from SATSegmentLib.errors import PairMismatch
from SATSegmentLib.sat.backbones.registry import NAMED_SPECS
from SATSegmentLib.sat.checkpoint.pairs import check_names, check_pair


@pytest.mark.parametrize(
    ("shape", "network", "kind", "text"),
    [
        ("umamba", "umamba.pth", "ours", "text.pth"),
        ("umamba", "umamba.pth", "basebert", "text.pth"),
        ("swinunetr", "swin.pth", "ours", "text.pth"),
        ("pro", "pro.pth", "medcpt", "text.pth"),
        ("nano", "nano.pth", "medcpt", "text.pth"),
        ("nano", "unet.pth", "medcpt", "basebert.pth"),  # named after one, with the vocabulary of the other
        ("nano", "unet.pth", "basebert", "unet_cpt_text.pth"),
    ],
)
def test_wrong_pairs_are_refused(shape, network, kind, text):
    with pytest.raises(PairMismatch):
        check_pair(NAMED_SPECS[shape], network, kind, text)


@pytest.mark.parametrize(
    ("shape", "network", "kind", "text"),
    [
        ("umamba", "umamba.pth", "medcpt", "text.pth"),
        ("swinunetr", "swin.pth", "medcpt", "cpt.pth"),
        ("pro", "SAT_Pro.pth", "ours", "text_encoder.pth"),
        ("nano", "nano.pth", "ours", "nano_text_encoder.pth"),
    ],
)
def test_right_pairs_leave_nothing_open(shape, network, kind, text):
    assert check_pair(NAMED_SPECS[shape], network, kind, text) == ""


@pytest.mark.parametrize("kind", ["ours", "medcpt", "basebert"])
def test_a_renamed_network_that_three_encoders_go_with_is_warned_about(kind):
    assert "came from the same folder" in check_pair(NAMED_SPECS["nano"], "renamed.pth", kind, "text.pth")


def test_nothing_is_said_about_widths_that_were_never_released():
    spec = dataclasses.replace(NAMED_SPECS["umamba"], features=(8, 8, 12, 16, 24, 40))
    assert check_pair(spec, "mine.pth", "ours", "text.pth") == ""


def test_names_of_two_released_models_are_refused_before_anything_is_read():
    with pytest.raises(PairMismatch, match="SAT-Pro"):
        check_names("nano.pth", "text_encoder.pth")
    check_names("nano.pth", "nano_text_encoder.pth")
    check_names("mine.pth", "text_encoder.pth")
