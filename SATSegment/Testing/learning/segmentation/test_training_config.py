"""A configuration is read to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from SATSegmentLib.learning.data import Recipe
from SATSegmentLib.learning.segmentation.config import read_config
from SATSegmentLib.learning.segmentation.errors import ConfigError
from SATSegmentLib.learning.segmentation.settings import Settings

DOCS = Path(__file__).parents[4] / "Docs"


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_full_size_example_holds_the_defaults():
    config = read_config(DOCS / "training-full.yaml")
    assert config.training == Settings()
    assert config.data.recipe == Recipe()
    assert (config.architecture, config.window, config.spacing) == ("nano", (288, 288, 96), (1.0, 1.0, 3.0))
    assert config.data.train == (DOCS / "sat-ds/train.jsonl",)


def test_small_example_is_one_that_can_be_trained():
    config = read_config(DOCS / "training-small.yaml")
    assert config.queries.free
    assert config.training.learning_rate == 1e-3
    assert config.architecture.downsampling == (16, 16, 16)
    assert config.data.recipe.augmentation.rotation == 0.4


MINIMAL = "name: a\ndata:\n  train: [a.jsonl]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL + "training: {learning_rat: 1}\n", r"training.learning_rat is unknown. Did you mean learning_rate?"),
        (MINIMAL + "trainig: {}\n", "trainig is unknown. Did you mean training?"),
        (MINIMAL + "qqq: 1\n", "qqq is unknown. There are: name, data"),
        ("name: a\n", "data is missing"),
        ("name: a\ndata: {}\n", "data.train is missing"),
        ("name: a\ndata: {train: []}\n", "names no file"),
        ("name: a\ndata: {train: a.jsonl}\n", "data.train must be a list, not 'a.jsonl'"),
        (MINIMAL + "  validation: [b.jsonl]\n  validation_share: 0.1\n", "not both"),
        (MINIMAL + "  recipe: {window: [8, 8, 8]}\n", "Give the window once"),
        (MINIMAL + "  recipe: {negative_ratio: 1.5}\n", "In data.recipe: negative_ratio is 1.5"),
        (MINIMAL + "  recipe: {augmentation: {zoom_range: [1, 2, 3]}}\n", "zoom_range must be 2 values"),
        (MINIMAL + "training: {steps: 1.5}\n", "training.steps must be a whole number, not 1.5"),
        (MINIMAL + "training: {steps: true}\n", "training.steps must be a whole number, not True"),
        (MINIMAL + "training: {deep_supervision: 1}\n", "must be true or false"),
        (MINIMAL + "training: {learning_rate: fast}\n", "must be a number, not 'fast'"),
        (MINIMAL + "training: {precision: half}\n", "precision is 'half'. It can be auto, float32"),
        (MINIMAL + "training: {part: unet}\n", "It can be all, decoder"),
        (MINIMAL + "training: {steps: 0}\n", "steps is 0; it must be at least 1"),
        (MINIMAL + "architecture: huge\n", "It can be nano, pro"),
        (
            MINIMAL + "architecture: {features: [4, 8]}\n",
            "encoder_convs, architecture.decoder_convs, arch",
        ),
        (
            MINIMAL + "training: {step: 1, learning_rat: 1}\n",
            "training.learning_rat are unknown. Did you mean steps, l",
        ),
        ("name: a\ndat: {}\n", "dat is unknown. data is missing. Did you mean data?$"),
        ("nme: a\nqqq: 1\n", "nme, qqq are unknown. name, data are missing. Did you mean name? There are: .* Add what"),
        (MINIMAL + "window: [8, 8]\n", "window must be 3 values"),
        (MINIMAL + "queries: {text_encoder: a.pth}\n", "belong together"),
        (MINIMAL + "training:\n", "training must hold keys and values, not nothing"),
        ("- a\n", "must hold keys and values"),
        ("a: [", "not valid YAML"),
        ("!!python/object/apply:os.system [ls]", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(write, text, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(").replace("?", r"\?")):
        read_config(write(text))


def test_numbers_that_yaml_takes_for_words_are_numbers(write):
    assert read_config(write(MINIMAL + "training: {learning_rate: 1e-4, steps: 5}\n")).training.learning_rate == 1e-4


def test_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "none.yaml")
