"""Adaptive windows: the same masks as from all windows, for fewer of them."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.live_bytes import LiveBytes
from helpers.models import hand_made_network
from SATSegmentLib import Image
from SATSegmentLib.errors import Cancelled, DeviceError
from SATSegmentLib.grid.box import Box
from SATSegmentLib.inference import plan, undecided
from SATSegmentLib.inference.adaptive import WindowSearch
from SATSegmentLib.inference.cache import FeatureCache
from SATSegmentLib.inference.held_logits import HeldLogits
from SATSegmentLib.inference.loading import load_network
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.inference.undecided import Decisions
from SATSegmentLib.inference.window_features import WindowFeatures
from SATSegmentLib.inference.windows import WindowChoice, cover, fewest
from SATSegmentLib.models.catalog import find_model
from SATSegmentLib.models.folder import ModelDescription, read_description
from SATSegmentLib.resources import resource_path
from SATSegmentLib.scans import read_scan
from SATSegmentLib.types import SegmentResult

pytestmark = pytest.mark.filterwarnings("ignore::SATSegmentLib.errors.SATSegmentWarning")

WINDOW = (32, 32, 16)
SHAPE = (64, 80, 24)  # 3 x 4 x 2 windows; a tile is half a window long
ALL, FIRST = 24, 12
BRIGHT, DARK = np.array([1e4, 0], np.float32), np.array([0, 1e4], np.float32)


def two_tones() -> Segmenter:
    """A network of real layers that finds what is brighter than its window, or what is darker, by the prompt's offset.

    Each window is normed by itself, as in SAT, so windows disagree a little where they overlap.
    """
    network = hand_made_network(2, WINDOW)
    with torch.no_grad():
        stem = network.backbone.encoder.stages[0][0].convs[0]
        last = network.backbone.decoder.stages[0].convs[0]
        stem.conv.weight[0, 0, 1, 1, 1], stem.conv.weight[1, 0, 1, 1, 1] = 1, -1
        for channel in range(2):  # the decoder's last two input channels are the skip
            last.conv.weight[channel, 2 + channel, 1, 1, 1] = 1
        for block in (stem, last):
            block.norm.weight.fill_(1)
        last.norm.bias.fill_(-1)
    return Segmenter(network.eval(), ModelDescription("two tones", WINDOW, (1.0, 1.0, 3.0)), device="cpu")


def scan(
    *organs: tuple[tuple[float, ...], float, float],
    shape: tuple[int, int, int] = SHAPE,
    spacing: tuple[float, float, float] = (1.0, 1.0, 3.0),
) -> Image:
    """Soft tissue with ellipsoids (centre as a share of the scan, radius in x and y voxels, HU)."""
    array = np.full(shape, 40, np.int16)
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    for centre, radius, value in organs:
        i, j, k = (share * (side - 1) for share, side in zip(centre, shape, strict=True))
        array[(x - i) ** 2 + (y - j) ** 2 + (2 * (z - k)) ** 2 <= radius**2] = value
    array[0, 0, 0] = array[-1, -1, -1] = 41  # the crop to the foreground keeps all
    return Image(array.transpose(2, 1, 0), np.diag((*spacing, 1.0)))


@pytest.fixture(scope="module")
def segmenter():
    return two_tones()


@pytest.fixture
def encoded(segmenter, monkeypatch):
    """A fresh cache, and a list that grows with each window that is encoded."""
    calls: list[int] = []
    encode = segmenter._network.encode
    monkeypatch.setattr(segmenter, "cache", FeatureCache(1 << 30, 0))
    monkeypatch.setattr(segmenter._network, "encode", lambda window: calls.append(1) or encode(window))
    return calls


def ask(segmenter, image, *offsets, **options):
    queries = np.zeros((len(offsets), 8), np.float32)
    return segmenter.segment_queries(image, queries, "ct", mask_embedding_offsets=list(offsets), **options)


def adaptive(segmenter, image, *offsets, **options):
    return ask(segmenter, image, *offsets, windows="adaptive", **options)


def same_mask(a, b) -> bool:
    return a.cropped.box == b.cropped.box and np.array_equal(a.mask, b.mask)


def same(a, b) -> bool:
    numbers = [(one.mean_probability, one.max_probability, one.windows) for one in (a, b)]
    return same_mask(a, b) and numbers[0] == numbers[1]


ASIDE = ((0.35, 0.1, 0.1), 4, 300)  # where two windows overlap
MIDDLE = ((0.6, 0.5, 0.5), 5, -200)

places = st.tuples(*[st.floats(0, 1)] * 3)


@settings(deadline=None, max_examples=4)
@given(
    bright=places, dark=places, radius=st.floats(1.5, 8), sharp=st.sampled_from([1e-3, 1e-2, 1]), finer=st.booleans()
)
def test_organs_anywhere_have_the_same_masks_as_from_all_windows(segmenter, bright, dark, radius, sharp, finer):
    spacing = (0.9, 1.0, 2.2) if finer else (1.0, 1.0, 3.0)
    image = scan((dark, 5, -200), (bright, radius, 300), shape=(64, 64, 24), spacing=spacing)  # 3 x 3 x 2 windows
    everything = ask(segmenter, image, BRIGHT * sharp, DARK * sharp)
    for one, other in zip(everything, adaptive(segmenter, image, BRIGHT * sharp, DARK * sharp), strict=True):
        assert same_mask(one, other)
        assert one.windows.looked_at == one.windows.total
        assert other.windows.looked_at <= other.windows.total
        assert one.mean_probability == pytest.approx(other.mean_probability, abs=0.05)
        assert other.max_probability <= one.max_probability


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((64, 64, 16), {"overlap": 0.25}),
        ((48, 40, 20), {"overlap": 0.6}),
        ((64, 64, 16), {"orientation": "ASR"}),
        ((64, 64, 16), {"threshold": 0.2}),
        ((64, 64, 16), {"threshold": 0.9}),
        ((80, 70, 1), {}),
        ((1, 80, 30), {}),
        ((20, 20, 60), {}),
    ],
)
def test_masks_are_the_same_with_any_overlap_orientation_threshold_and_shape(segmenter, shape, options):
    image = scan(ASIDE, ((0.6, 0.5, 0.5), 9, -200), shape=shape)
    nothing, everywhere = np.array([0, 0], np.float32), np.array([1e4, 1e4], np.float32)
    offsets = [BRIGHT, DARK * 1e-3, nothing, everywhere]
    everything = ask(segmenter, image, *offsets, **options)
    for one, other in zip(everything, adaptive(segmenter, image, *offsets, **options), strict=True):
        assert same_mask(one, other)
        assert other.windows.looked_at <= one.windows.total


def test_where_nearly_all_windows_are_needed_they_are_looked_at_in_two_rounds(segmenter, monkeypatch):
    """To decide about specks everywhere would cost more than it saves."""
    image = scan(shape=(64, 64, 24))
    image.array[...] += np.random.default_rng(0).integers(-30, 30, image.array.shape, np.int16)
    (everything,) = ask(segmenter, image, BRIGHT)
    rounds, decided = [], []
    next_round, next_windows = WindowSearch.round, Decisions.next_windows
    monkeypatch.setattr(WindowSearch, "round", lambda search: rounds.append(next_round(search)) or rounds[-1])
    monkeypatch.setattr(Decisions, "next_windows", lambda *given: decided.append(1) or next_windows(*given))
    (specks,) = adaptive(segmenter, image, BRIGHT)
    assert specks.voxels > 1000
    assert same(specks, dataclasses.replace(everything, windows=specks.windows))
    assert specks.windows.looked_at == specks.windows.total
    assert [bool(numbers) for numbers in rounds] == [True, True, False]
    assert not decided


def test_deciding_ends_after_as_many_voxels_as_windows_have(segmenter, monkeypatch):
    image = scan(((0.38, 0.5, 0.5), 4, 300), shape=(64, 80, 32))
    (everything,), (some,) = ask(segmenter, image, BRIGHT), adaptive(segmenter, image, BRIGHT)
    monkeypatch.setattr(undecided, "_DECIDED", 0.0)
    (ended,) = adaptive(segmenter, image, BRIGHT)
    assert some.windows.looked_at < ended.windows.looked_at == everything.windows.total
    assert same_mask(ended, everything)


@settings(deadline=None, max_examples=25)
@given(st.tuples(*[st.integers(1, 20)] * 3), st.tuples(*[st.integers(1, 16)] * 3), st.integers(0, 2**32 - 1))
def test_marks_grow_as_far_as_they_should(shape, reach, seed):
    marks = torch.from_numpy(np.random.default_rng(seed).uniform(size=shape) < 0.01)
    kernel = [2 * steps + 1 for steps in reach]
    wanted = F.max_pool3d(
        F.pad(marks[None].float(), [pad for steps in reach[::-1] for pad in (steps, steps)]), kernel, 1
    )
    before = marks.clone()
    assert torch.equal(undecided._grown(marks, reach), wanted[0] > 0)
    assert torch.equal(marks, before)


def test_an_organ_in_the_middle_takes_half_of_the_windows(segmenter):
    """It lies where windows meet along two axes; all windows that touch it are more."""
    image = scan(((0.38, 0.5, 0.5), 4, 300), shape=(64, 80, 32))  # 3 x 4 x 3 windows
    (everything,) = ask(segmenter, image, BRIGHT)
    (some,) = adaptive(segmenter, image, BRIGHT)
    (touching,) = adaptive(segmenter, image, BRIGHT, keep_probabilities=True)
    assert same_mask(some, everything)
    assert same_mask(touching, everything)
    assert everything.windows.total == 36
    assert some.windows.looked_at <= 18 < touching.windows.looked_at


def test_one_organ_takes_a_fraction_of_the_windows_and_the_next_one_only_what_is_missing(segmenter, encoded):
    image = scan(ASIDE, MIDDLE)
    (aside,) = adaptive(segmenter, image, BRIGHT)
    assert aside.voxels > 0
    assert FIRST < aside.windows.looked_at == len(encoded) < 0.6 * ALL
    (middle,) = adaptive(segmenter, image, DARK)
    assert middle.voxels > 0
    assert len(encoded) < aside.windows.looked_at + middle.windows.looked_at - FIRST + 1
    ask(segmenter, image, DARK)
    assert len(encoded) == ALL


@pytest.mark.long
def test_no_mask_of_the_demonstration_model_changes(monkeypatch):
    """With windows smaller than its own, so that there are many; it finds specks in most of them.

    So nearly all are needed, and the program would look at all. Here it decides to the end.
    """
    monkeypatch.setattr(undecided, "_SPARED", math.inf)
    monkeypatch.setattr(undecided, "_DECIDED", math.inf)
    folder = find_model("demo")
    description = dataclasses.replace(read_description(folder), window=(16, 32, 16))
    network, _ = load_network(folder, description)
    bank = Segmenter.load(folder, device="cpu", precision="float32").queries.bank
    names = [text for text, modality in bank.labels if modality == "mri"]
    queries = np.stack([bank.lookup(name, "mri") for name in names])
    head = read_scan(resource_path("Demo/itk_t1.nii.gz"))
    demo = Segmenter(network, description, device="cpu", precision="float32")
    everything = demo.segment_queries(head, queries, "mri", names=names)
    fewer = demo.segment_queries(head, queries, "mri", names=names, windows="adaptive")
    for one, other in zip(everything, fewer, strict=True):
        assert one.cropped.box == other.cropped.box
        assert np.array_equal(one.mask, other.mask), one.prompt.text
    assert min(one.windows.looked_at for one in fewer) < everything[0].windows.total


def test_nothing_that_is_there_looks_no_further_than_the_first_windows(segmenter, encoded):
    (result,) = adaptive(segmenter, scan(ASIDE), DARK)
    assert (result.status, result.windows.looked_at, len(encoded)) == ("empty", FIRST, FIRST)
    assert result.windows == result.windows.__class__("adaptive", 0.5, ALL, FIRST, 0.05)


def test_a_prompt_has_the_same_mask_and_windows_in_any_company_and_with_any_features(segmenter, encoded):
    image = scan(ASIDE, MIDDLE)
    together = adaptive(segmenter, image, DARK, BRIGHT)
    ask(segmenter, image, BRIGHT)  # now all features are there
    warm = adaptive(segmenter, image, BRIGHT)
    segmenter.cache.clear()
    alone = adaptive(segmenter, image, BRIGHT)
    assert together[1].windows == warm[0].windows == alone[0].windows != together[0].windows
    assert same(together[1], alone[0])
    assert same(warm[0], alone[0])


def test_features_that_find_no_place_are_made_again_and_masks_stay_the_same(segmenter, encoded, monkeypatch):
    image = scan(ASIDE, MIDDLE)
    kept = adaptive(segmenter, image, BRIGHT)
    monkeypatch.setattr(segmenter, "cache", FeatureCache(0, 0))
    encoded.clear()
    again = adaptive(segmenter, image, BRIGHT)
    assert same_mask(kept[0], again[0])
    assert len(encoded) == again[0].windows.looked_at < ALL


SMALL = (64, 64, 16)  # 3 x 3 windows
ONE_WINDOW = math.prod(WINDOW) * 2 * 4  # bytes of its features


@pytest.mark.parametrize(
    ("options", "room", "block_bytes"),
    [
        ({}, 2 * ONE_WINDOW, 1 << 24),
        ({}, 0, 1 << 20),  # Only the tiles where something is found have room.
        ({"keep_probabilities": True}, 0, 1 << 24),
        ({"windows": "all"}, 5 * ONE_WINDOW, 1 << 20),
    ],
)
def test_no_window_is_encoded_twice_where_features_find_no_place(segmenter, monkeypatch, options, room, block_bytes):
    """And what is held of their logits instead changes no bit of what comes out."""
    numbers: list[int] = []
    encode = WindowFeatures._encode
    monkeypatch.setattr(WindowFeatures, "_encode", lambda all_, one: (numbers.append(one), encode(all_, one))[1])
    monkeypatch.setattr(plan, "BLOCK_BYTES", block_bytes)

    def run() -> list[SegmentResult]:
        monkeypatch.setattr(segmenter, "cache", FeatureCache(room, 0))
        numbers.clear()
        return ask(segmenter, scan(ASIDE, shape=SMALL), BRIGHT, *[DARK] * 4, **{"windows": "adaptive", **options})

    held = run()
    assert held[0].voxels > 0
    assert sorted(set(numbers)) == sorted(numbers)
    monkeypatch.setattr(HeldLogits, "hold", lambda *given: None)
    again = run()
    assert len(set(numbers)) < len(numbers)
    assert all(same(one, other) for one, other in zip(held, again, strict=True))


def test_where_even_what_is_found_has_no_room_windows_are_encoded_again(segmenter, encoded, monkeypatch):
    image, nothing = scan(ASIDE, MIDDLE, shape=SMALL), np.array([0, 0], np.float32)
    offsets = BRIGHT, DARK, nothing
    kept = ask(segmenter, image, *offsets)
    monkeypatch.setattr(plan, "BLOCK_BYTES", 1 << 18)
    monkeypatch.setattr(segmenter, "cache", FeatureCache(0, 0))
    windows = len(encoded)
    encoded.clear()
    again = ask(segmenter, image, *offsets)
    assert len(encoded) > windows
    assert all(same(one, other) for one, other in zip(kept, again, strict=True))


def test_probabilities_that_are_kept_are_those_of_all_windows_around_what_is_found(segmenter):
    image = scan(ASIDE, MIDDLE)
    soft = BRIGHT * 1e-3, DARK * 1e-3
    plain = adaptive(segmenter, image, *soft)
    everything = ask(segmenter, image, *soft, keep_probabilities=True)
    kept_too = adaptive(segmenter, image, *soft, keep_probabilities=True)
    for without, kept, whole in zip(plain, kept_too, everything, strict=True):
        assert same_mask(without, kept)
        assert without.windows.looked_at <= kept.windows.looked_at
        assert kept.mean_probability == whole.mean_probability
        levels = np.zeros(image.array.shape, np.uint8)
        levels[Box.at(kept.probability.offset, kept.probability.levels.shape)] = kept.probability.levels
        assert np.array_equal(levels >= 128, kept.whole_mask(image.array.shape))


def test_cancel_is_honoured_before_the_next_window_and_none_that_is_done_is_lost(segmenter, encoded):
    image = scan(ASIDE)
    with pytest.raises(Cancelled):
        adaptive(segmenter, image, BRIGHT, cancel=lambda: len(encoded) == FIRST + 1)
    assert len(encoded) == FIRST + 1
    (result,) = adaptive(segmenter, image, BRIGHT)
    assert len(encoded) <= result.windows.looked_at + 1  # the window at work may be given up
    assert same_mask(result, ask(segmenter, image, BRIGHT)[0])


def test_progress_never_falls_and_says_how_many_windows_there_are_at_least(segmenter, encoded):
    seen = []
    (result,) = adaptive(segmenter, scan(ASIDE), BRIGHT, progress=seen.append)
    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    assert seen[0].stage == f"window 1 of {FIRST} or more"
    last = result.windows.looked_at
    assert f"window {last} of {last} or more" in [step.stage for step in seen]


def test_progress_of_one_prompt_after_the_other_ends_with_the_last_one(segmenter, encoded, monkeypatch):
    monkeypatch.setattr(plan, "_MOST_PROMPTS", 1)
    seen = []
    results = adaptive(segmenter, scan(ASIDE, MIDDLE), BRIGHT, DARK, progress=seen.append)
    fractions = [step.fraction for step in seen]
    assert fractions == sorted(fractions)
    begins = [place for place, step in enumerate(seen) if step.stage == f"window 1 of {FIRST} or more"]
    assert len(begins) == len(results) == 2
    # The first structure is there before the second is looked for.
    finished = [place for place, step in enumerate(seen) if step.stage.endswith("of 2 structures")]
    assert begins[0] < finished[0] < begins[1] < finished[1]
    assert fractions[begins[1]] < 0.9
    assert fractions[-1] == pytest.approx(1)


def test_the_plan_says_the_least_that_a_run_takes(segmenter, encoded):
    plans = []
    adaptive(segmenter, scan(ASIDE), BRIGHT, on_plan=plans.append)
    ask(segmenter, scan(ASIDE), BRIGHT, on_plan=plans.append)
    least, rest = plans
    assert (least.windows, least.least_windows, least.to_encode) == (ALL, FIRST, FIRST)
    assert f"at least {FIRST} of {ALL} windows ({FIRST} to encode)" in str(least)
    assert (rest.windows, rest.least_windows) == (ALL, ALL)
    assert 0 < rest.to_encode < ALL


@pytest.mark.parametrize("offsets", [[BRIGHT], [BRIGHT, DARK, *[BRIGHT * 1e-2] * 4]])
def test_what_deciding_takes_is_planned(segmenter, encoded, monkeypatch, offsets):
    """Structures in two corners: sums are kept around them, and the box between them is decided about at once."""
    image = scan(((0.1, 0.1, 0.1), 4, 300), ((0.9, 0.9, 0.9), 4, 300), shape=SMALL)
    ask(segmenter, image, BRIGHT)  # Features are there: nothing but deciding takes memory.
    plans, took = [], []
    ask_next = Decisions.ask_next

    def watched(self, *given):
        with LiveBytes() as live:
            ask_next(self, *given)
        took.append(live.peak)

    monkeypatch.setattr(Decisions, "ask_next", watched)
    adaptive(segmenter, image, *offsets, on_plan=plans.append)
    monkeypatch.setattr(plan, "_deciding_bytes", lambda *_: (0, 0))
    adaptive(segmenter, image, *offsets, on_plan=plans.append)
    assert 0 < max(took) < plans[0].peak_bytes - plans[1].peak_bytes
    assert plans[0].peak_bytes < plans[1].peak_bytes + 5 * max(took)


def test_where_memory_is_short_fewer_structures_are_decided_about_at_a_time(segmenter, encoded, monkeypatch):
    image, offsets = scan(ASIDE, MIDDLE, shape=SMALL), [BRIGHT, DARK] * 4
    plans = []
    everything = adaptive(segmenter, image, *offsets, on_plan=plans.append)
    monkeypatch.setattr(plan, "_free_bytes", lambda _: 6 << 20)
    some = adaptive(segmenter, image, *offsets, on_plan=plans.append)
    assert 1 <= plans[1].prompt_block < len(offsets) == plans[0].prompt_block
    assert plans[1].keeps_features
    assert all(same(one, other) for one, other in zip(everything, some, strict=True))


@pytest.mark.parametrize(
    ("shape", "because"), [((20, 20, 10), "one window holds"), ((32, 40, 16), "so few windows cover")]
)
def test_the_plan_says_where_adaptive_windows_save_nothing(segmenter, shape, because):
    plans = []
    adaptive(segmenter, scan(shape=shape), BRIGHT, on_plan=plans.append)
    ask(segmenter, scan(shape=shape), BRIGHT, on_plan=plans.append)
    assert because in plans[0].windows_note
    assert plans[0].windows_note in str(plans[0])
    assert (plans[1].windows_note, "daptive" in str(plans[1])) == ("", False)


def test_windows_in_the_same_place_are_shared_between_overlaps(segmenter, encoded):
    ask(segmenter, scan(ASIDE), BRIGHT)
    (narrow,) = ask(segmenter, scan(ASIDE), BRIGHT, overlap=0)
    assert (narrow.windows.total, narrow.windows.looked_at, narrow.windows.overlap) == (FIRST, FIRST, 0)
    assert len(encoded) == ALL


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 40), st.integers(1, 90), st.floats(0, 0.75))
def test_windows_of_any_overlap_cover_the_grid_and_so_do_the_fewest(side, size, overlap):
    boxes = cover((1, size, 1), (1, side, 1), overlap)
    chosen = [boxes[number] for number in fewest(boxes, (1, size, 1))]
    for some in (boxes, chosen):
        spans = [(box[1].start, box[1].stop) for box in some]
        assert (spans[0][0], spans[-1][1]) == (0, size)
        assert all(before[0] < after[0] <= before[1] for before, after in itertools.pairwise(spans))
    # None of the fewest could be left out.
    assert all(before[1] < after[0] for before, after in zip(spans, spans[2:], strict=False))


@pytest.mark.parametrize("choice", [{"rule": "some"}, {"overlap": -0.1}, {"overlap": 0.8}, {"overlap": float("nan")}])
def test_windows_that_cannot_be_are_refused(choice):
    with pytest.raises(DeviceError):
        WindowChoice(**choice)
