"""Each random change does what it says, to the image and its masks alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SATSegmentLib.grid.box import Box
from SATSegmentLib.learning.data import NO_AUGMENTATION, Augmentation, Recipe, RecipeError
from SATSegmentLib.learning.data.augment import Resampler, Shape, change_intensity, random_shape

SHAPE = (20, 16, 12)
SIZE = (10, 10, 8)


def rng(seed=0):
    return np.random.default_rng(seed)


def only(**chances):
    """Only these changes."""
    none = dict.fromkeys(("zoom", "noise", "sharpen", "scale", "contrast", "contrast_inverted"), 0.0)
    return Augmentation(**{**none, **chances})


def volume(seed=0):
    return rng(seed).standard_normal(SHAPE).astype(np.float32)


@given(st.integers(0, 99), st.tuples(*[st.integers(1, 14)] * 3))
@settings(max_examples=30, deadline=None)
def test_no_change_of_shape_is_the_window_itself(seed, window):
    image = volume(seed)
    box = Box(slice(start, min(start + side, size)) for start, side, size in zip((3, 1, 2), window, SHAPE, strict=True))
    resampler = Resampler(Shape(np.eye(3)), box, SHAPE, window)
    np.testing.assert_allclose(resampler.image(image[resampler.source]), _padded(image, box, window), atol=1e-5)
    mask = image > 0
    np.testing.assert_array_equal(resampler.mask(mask[resampler.source]), _padded(mask, box, window))


def _padded(array, box, window):
    """The window's voxels; behind the case's end there is nothing."""
    part = array[tuple(slice(side.start, side.start + size) for side, size in zip(box, window, strict=True))]
    return np.pad(part, [(0, size - n) for size, n in zip(window, part.shape, strict=True)])


@pytest.mark.parametrize("zoom", [0.7, 1.0, 1.4])
def test_a_zoom_enlarges_about_the_centre(zoom):
    ball = np.sum((np.indices((40, 40, 40)) - 19.5) ** 2, axis=0) < 100
    box = Box.whole((40, 40, 40))
    resampler = Resampler(Shape(np.eye(3) / zoom), box, (40, 40, 40), (40, 40, 40))
    found = resampler.mask(ball[resampler.source])
    assert found.sum() / ball.sum() == pytest.approx(zoom**3, rel=0.06)
    np.testing.assert_allclose(np.argwhere(found).mean(axis=0), 19.5, atol=0.3)


@pytest.mark.parametrize("seed", range(3))
def test_image_and_mask_move_together(seed):
    changes = Augmentation(zoom=1, rotation=1, rotation_degrees=30)
    shape = random_shape(changes, rng(seed), (1.0, 1.0, 3.0))
    mask = np.zeros((40, 30, 24), bool)
    mask[10:22, 12:20, 6:16] = True
    box = Box.at((2, 4, 1), (32, 24, 22))
    resampler = Resampler(shape, box, mask.shape, (32, 24, 22))
    image = resampler.image(mask[resampler.source].astype(np.float32))
    found = resampler.mask(mask[resampler.source])
    assert found.any()
    assert not found.all()
    sure = np.abs(image - 0.5) > 0.45  # away from the border, where nearest and linear agree
    np.testing.assert_array_equal(found[sure], image[sure] > 0.5)


def test_a_rotation_keeps_millimetres():
    for seed in range(5):
        shape = random_shape(only(rotation=1.0, rotation_degrees=25), rng(seed), (1.0, 1.0, 3.0))
        in_millimetres = np.diag((1, 1, 3)) @ shape.matrix @ np.linalg.inv(np.diag((1, 1, 3)))
        np.testing.assert_allclose(in_millimetres @ in_millimetres.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(in_millimetres) == pytest.approx(1)  # a rotation, never a mirror image
        angle = np.rad2deg(np.arccos((np.trace(in_millimetres) - 1) / 2))
        assert 0 < angle < 25 * 3**0.5 + 1


def test_a_window_is_not_filled_from_behind_the_scan():
    resampler = Resampler(Shape(np.eye(3) / 0.7), Box.at((0, 0, 0), (20, 16, 12)), SHAPE, SHAPE)
    ones = np.ones(SHAPE, np.float32)
    found = resampler.image(ones[resampler.source])
    np.testing.assert_array_equal(found != 0, resampler.inside)
    np.testing.assert_array_equal(resampler.mask(ones[resampler.source] > 0), resampler.inside)
    assert 0 < resampler.inside.mean() < 0.5


def test_without_a_chance_nothing_changes():
    image, inside = volume(), np.ones(SHAPE, bool)
    assert random_shape(NO_AUGMENTATION, rng(), (1.0, 1.0, 3.0)) is None
    np.testing.assert_array_equal(change_intensity(image, inside, NO_AUGMENTATION, rng()), image)


def changed(image=None, inside=None, seed=0, **chances):
    image = volume() if image is None else image
    inside = np.ones(image.shape, bool) if inside is None else inside
    before = image.copy()
    result = change_intensity(image, inside, only(**chances), rng(seed))
    np.testing.assert_array_equal(image, before)  # the input is left alone
    assert result.dtype == np.float32
    return result


@pytest.mark.parametrize("kind", ["sharpen", "scale", "contrast", "contrast_inverted", "noise"])
def test_each_change_changes_and_leaves_the_padding_zero(kind):
    inside = np.zeros(SHAPE, bool)
    inside[:15] = True
    image = volume() * inside
    result = changed(image, inside, **{kind: 1.0})
    assert np.isfinite(result).all()
    assert not result[~inside].any()
    assert np.abs(result - image)[inside].mean() > 1e-3
    np.testing.assert_array_equal(result, changed(image, inside, **{kind: 1.0}))
    assert not np.array_equal(result, changed(image, inside, seed=1, **{kind: 1.0}))


def test_noise_has_the_deviation_it_may_have():
    deviations = [(changed(seed=seed, noise=1.0) - volume()).std() for seed in range(40)]
    assert max(deviations) < 0.11
    assert min(deviations) < 0.02
    assert np.mean(deviations) == pytest.approx(0.05, abs=0.015)


def test_scaling_is_a_factor_within_its_range():
    factors = [np.median(changed(seed=seed, scale=1.0) / volume()) for seed in range(40)]
    assert 0.75 <= min(factors) < 0.85
    assert 1.15 < max(factors) <= 1.25


@pytest.mark.parametrize("kind", ["contrast", "contrast_inverted"])
def test_contrast_keeps_the_range_and_the_order(kind):
    image = volume()
    result = changed(**{kind: 1.0})
    assert result.min() == pytest.approx(image.min(), abs=1e-4)
    assert result.max() == pytest.approx(image.max(), abs=1e-4)
    order = np.argsort(image, axis=None)
    assert (np.diff(result.ravel()[order]) >= -1e-5).all()


def test_sharpening_steepens_an_edge():
    edge = np.zeros(SHAPE, np.float32)
    edge[8:10], edge[10:] = 0.5, 1.0
    result = changed(edge, sharpen=1.0)
    middle = result[:, 8, 6]
    assert middle.max() > 1.2  # overshoots
    assert middle.min() < -0.2
    np.testing.assert_allclose(result[[0, -1]], edge[[0, -1]], atol=1e-4)  # flat parts stay


@pytest.mark.parametrize(
    "wrong", [{"zoom": 1.5}, {"mirror": -0.1}, {"zoom_range": (1.4, 0.7)}, {"gamma": (0.0, 1.0)}, {"noise_std": -1.0}]
)
def test_an_augmentation_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(RecipeError):
        Augmentation(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": (0, 1, 1)},
        {"window": (1, 1)},
        {"max_prompts": 0},
        {"negative_ratio": 1.0},
        {"label_crop": 2.0},
        {"dataset_weights": {"ours": 0.0}},
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(RecipeError):
        Recipe(**wrong)
