"""A run learns, continues bit for bit, stops cleanly, and writes what the engine reads strictly."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch

from helpers.tiny_encoders import tiny_language_model
from SATSegmentLib.cli import main
from SATSegmentLib.errors import (
    Cancelled,
    CheckpointError,
    ModelNotFound,
    OutputError,
    PairMismatch,
    SATSegmentError,
)
from SATSegmentLib.learning.knowledge.encoder import CHECKPOINT_FILE, LearningEncoder
from SATSegmentLib.learning.knowledge.objective import TextObjective
from SATSegmentLib.learning.knowledge.pairs import Pairs
from SATSegmentLib.learning.knowledge.pretrain import LOG_FILE, STATE_FILE, Pretraining, rate
from SATSegmentLib.learning.knowledge.recipe import FULL, KnowledgeRecipe
from SATSegmentLib.learning.knowledge.texts import Knowledge, Structure
from SATSegmentLib.sat.text.encoder import TextEncoder

RECIPE = KnowledgeRecipe(
    steps=12,
    batch=8,
    warmup_steps=2,
    learning_rate=3e-3,
    head_rate=1.0,
    trained_layers=0,
    max_tokens=24,
    query_dim=20,
    projection_dim=28,
    kinds=(0.5, 0.3, 0.0, 0.2),
    save_every=5,
)
NAMES = {
    "liver": ("hepar", "hepatic organ"), "kidney": ("ren", "renal organ"), "spleen": ("lien", "splenic organ"),
    "stomach": ("gaster", "gastric organ"), "heart": ("cor", "cardiac organ"), "lung": ("pulmo", "pulmonary organ"),
}  # fmt: skip
KNOWLEDGE = Knowledge({n: Structure(n, n, s, f"The organ that anatomists call {s[0]}.") for n, s in NAMES.items()})


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_language_model(tmp_path_factory.mktemp("bert"))


def run_of(folder, out, recipe=RECIPE):
    encoder = LearningEncoder.start(folder, recipe.query_dim, recipe.projection_dim, recipe.max_tokens)
    return Pretraining(encoder, TextObjective(Pairs(KNOWLEDGE, recipe)), recipe, out)


def test_training_brings_synonyms_to_their_name(bert, tmp_path):
    run = run_of(bert, tmp_path, dataclasses.replace(RECIPE, steps=80))

    run.run()

    losses = [json.loads(line)["loss"] for line in (tmp_path / LOG_FILE).read_text().splitlines()]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    names = run.encoder.features(list(NAMES))
    synonyms = run.encoder.features([synonyms[0] for synonyms in NAMES.values()])
    cosines = (synonyms / np.linalg.norm(synonyms, axis=1)[:, None]) @ (
        names / np.linalg.norm(names, axis=1)[:, None]
    ).T
    assert (cosines.argmax(1) == np.arange(len(NAMES))).mean() >= 5 / 6


def test_a_run_that_was_stopped_continues_to_the_last_bit(bert, tmp_path):
    whole = run_of(bert, tmp_path / "whole")
    whole.run()
    asked = iter(range(100))
    stopped = run_of(bert, tmp_path / "parts")
    with pytest.raises(Cancelled):
        stopped.run(cancel=lambda: next(asked) == 7)

    outcome = run_of(bert, tmp_path / "parts").run()

    assert outcome.step == 12
    assert (tmp_path / "parts" / LOG_FILE).read_text() == (tmp_path / "whole" / LOG_FILE).read_text()
    states = [torch.load(tmp_path / f / CHECKPOINT_FILE, weights_only=True) for f in ("whole", "parts")]
    for key, tensor in states[0]["model_state_dict"].items():
        assert torch.equal(tensor, states[1]["model_state_dict"][key]), key


def test_a_killed_run_forgets_the_steps_after_its_checkpoint(bert, tmp_path):
    whole = run_of(bert, tmp_path / "whole")
    whole.run()
    killed = run_of(bert, tmp_path / "killed")

    def stop(progress):
        if killed.step == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed.run(progress=stop)

    run_of(bert, tmp_path / "killed").run()

    assert (tmp_path / "killed" / LOG_FILE).read_text() == (tmp_path / "whole" / LOG_FILE).read_text()


def test_another_recipe_does_not_continue_a_run(bert, tmp_path):
    run_of(bert, tmp_path).run()

    with pytest.raises(CheckpointError, match="another recipe"):
        run_of(bert, tmp_path, dataclasses.replace(RECIPE, steps=20)).run()


def test_a_damaged_state_is_named(bert, tmp_path):
    run_of(bert, tmp_path).run()
    (tmp_path / STATE_FILE).write_bytes((tmp_path / STATE_FILE).read_bytes()[:5000])

    with pytest.raises(CheckpointError, match="damaged"):
        run_of(bert, tmp_path).run()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_checkpoint(bert, tmp_path):
    run = run_of(bert, tmp_path)

    def poison(progress):
        if run.step == 6:
            with torch.no_grad():
                run.encoder.module.head["projection_layer"][0].weight.fill_(float("nan"))

    with pytest.raises(SATSegmentError, match="not a finite number at step 7"):
        run.run(progress=poison)
    kept = torch.load(tmp_path / STATE_FILE, weights_only=True)
    assert kept["step"] == 5
    assert all(tensor.isfinite().all() for tensor in kept["module"].values())


def test_a_full_disk_keeps_the_last_good_checkpoint(bert, tmp_path, monkeypatch):
    run = run_of(bert, tmp_path)
    save = torch.save

    def full(state, path):
        if state.get("step") == 10:
            raise OSError(28, "No space left on device")
        save(state, path)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError):
        run.run()

    assert torch.load(tmp_path / STATE_FILE, weights_only=True)["step"] == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOG_FILE, STATE_FILE]


@pytest.mark.parametrize("kind", ["bert", "mpnet", "distilbert", "roberta"])
def test_the_engine_reads_what_is_written_around_any_language_model(tmp_path, kind):
    folder = tiny_language_model(tmp_path / kind, kind)
    run = run_of(folder, tmp_path / "run", dataclasses.replace(RECIPE, steps=2))
    run.run()
    shutil.rmtree(folder)

    encoder = TextEncoder.load(tmp_path / "run" / CHECKPOINT_FILE, tmp_path / "run")

    texts = ["left kidney", "the liver of the patient", "kidney"]
    assert encoder.kind == "ours"
    np.testing.assert_allclose(encoder.features(texts), run.encoder.features(texts), atol=1e-5)
    assert encoder.embed(texts, ["ct", "mri", "pet"]).shape == (3, 20)
    # Company and padding change nothing.
    np.testing.assert_allclose(encoder.features(texts[:1]), encoder.features(texts)[:1], atol=1e-5)


def test_half_precision_stays_close(bert, tmp_path):
    run = run_of(bert, tmp_path, dataclasses.replace(RECIPE, steps=2))
    run.run()
    run.encoder.write(tmp_path / "half.pth", 2, half=True)

    half, full = (TextEncoder.load(tmp_path / name, tmp_path) for name in ("half.pth", CHECKPOINT_FILE))

    assert (tmp_path / "half.pth").stat().st_size < 0.6 * (tmp_path / CHECKPOINT_FILE).stat().st_size
    np.testing.assert_allclose(half.features(["liver"]), full.features(["liver"]), atol=5e-3)


def test_only_the_upper_layers_learn_where_that_is_asked_for(bert, tmp_path):
    run = run_of(bert, tmp_path, dataclasses.replace(RECIPE, steps=3, trained_layers=1))
    before = {key: tensor.clone() for key, tensor in run.encoder.module.transformer.state_dict().items()}

    run.run()

    changed = {
        k for k, tensor in run.encoder.module.transformer.state_dict().items() if not torch.equal(tensor, before[k])
    }
    assert changed
    assert all(key.startswith("encoder.layer.1.") for key in changed)


def test_a_run_can_start_from_an_earlier_one_around_the_same_language_model_only(bert, tmp_path):
    first = run_of(bert, tmp_path, dataclasses.replace(RECIPE, steps=3))
    first.run()
    encoder = LearningEncoder.start(bert, 20, 28, 24, seed=5)

    encoder.continue_from(tmp_path / CHECKPOINT_FILE)

    np.testing.assert_array_equal(encoder.features(["liver"]), first.encoder.features(["liver"]))
    other = LearningEncoder.start(tiny_language_model(tmp_path / "other", "distilbert"), 20, 28, 24)
    with pytest.raises(PairMismatch):
        other.continue_from(tmp_path / CHECKPOINT_FILE)


def test_a_folder_without_a_language_model_is_refused(tmp_path):
    with pytest.raises(ModelNotFound, match=r"config\.json"):
        LearningEncoder.start(tmp_path, 8, 8, 8)


def test_the_rate_rises_and_falls_to_zero():
    rates = [rate(step, FULL) for step in (0, 5000, 9999, 10_000, 55_000, 99_999)]

    assert rates[0] < rates[1] < rates[2] == pytest.approx(1e-5)
    assert rates[3] == pytest.approx(1e-5)
    assert rates[4] == pytest.approx(0.5e-5, rel=1e-3)
    assert rates[5] < 1e-12


@pytest.mark.long
def test_the_command_measures_trains_and_says_so(bert, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["pretrain", str(bert), "--out", str(out), "--size", "small", "--steps", "2", "--query-dim", "16"]

    assert main(words) == 0

    printed = capsys.readouterr().out
    assert "before training" in printed
    assert "Nearest names" in printed
    found = json.loads((out / "measure.json").read_text())
    assert set(found) == {"before", "after"}
    assert found["after"]["synonyms"]["texts"] > 300
    assert TextEncoder.load(out / CHECKPOINT_FILE, out).query_dim == 16
