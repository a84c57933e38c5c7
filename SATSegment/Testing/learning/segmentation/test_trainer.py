"""A training learns, says what went wrong, and goes on where it stopped as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from learning.segmentation import training_child
from learning.segmentation.toy_training import Cubes, losses, read_log, settings, toy_network, toy_queries

from SATSegmentLib.errors import OutputError, PromptError, SATSegmentWarning
from SATSegmentLib.learning.sample import TrainingPrompt
from SATSegmentLib.learning.segmentation.batches import batches
from SATSegmentLib.learning.segmentation.errors import ConfigError, NonFiniteLoss, TrainingError
from SATSegmentLib.learning.segmentation.log import LOG_FILE
from SATSegmentLib.learning.segmentation.optimizer import learning_rate
from SATSegmentLib.learning.segmentation.queries import LabelQueries
from SATSegmentLib.learning.segmentation.team import joined
from SATSegmentLib.learning.segmentation.trainer import LAST_FILE, _stop_on_signal, fit
from SATSegmentLib.sat.checkpoint.released import read_network

TESTING = Path(__file__).parents[2]


def train(folder, samples=None, network=None, resume=False, validation=None, **changes):
    network = network or toy_network()
    return fit(network, toy_queries(), samples or Cubes(), settings(**changes), folder, validation, resume=resume)


def weights(folder):
    return read_network(folder / LAST_FILE).tensors


def child(kind, folder, *launcher):
    command = [sys.executable, *launcher, training_child.__file__, kind, str(folder), str(torch.get_num_threads())]
    path = os.pathsep.join([str(TESTING), str(TESTING.parent)])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(condition, process):
    for _ in range(3600):
        if condition():
            return
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    raise AssertionError("nothing happened for three minutes")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder)
    return folder


def test_toy_problem_is_learned_and_what_is_absent_is_not_claimed(tmp_path):
    outcome = train(tmp_path, validation=Cubes(), steps=80, batch_size=2, validate_every=40, learning_rate=1e-2)
    checked = [entry for entry in read_log(tmp_path) if "validation_dice" in entry]
    assert outcome.finished
    assert outcome.best_dice == max(entry["validation_dice"] for entry in checked) >= 0.9
    assert checked[-1]["false_positive_rate"] == 0
    assert set(checked[-1]["labels"]) == {"mri, bright", "mri, dark"}
    assert outcome.checkpoint.name == "best.pth"
    assert list((tmp_path / "tensorboard").iterdir())


def test_killed_training_goes_on_to_the_last_digit(tmp_path, whole):
    process = child("stuck", tmp_path)
    # Sample 7 never comes: the process hangs in its eighth step, after the checkpoint of the fourth.
    wait_for((tmp_path / LAST_FILE).exists, process)
    process.kill()
    assert process.wait() == -signal.SIGKILL

    outcome = train(tmp_path, resume=True, workers=1)

    assert outcome.finished
    assert losses(tmp_path) == losses(whole)
    before, after = weights(whole), weights(tmp_path)
    assert all(torch.equal(before[key], after[key]) for key in before)


class Interrupting(Cubes):
    """Presses Ctrl+C while sample 5 is made."""

    def sample(self, number):
        if number == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return super().sample(number)


def test_interrupted_step_is_finished_saved_and_continued(tmp_path, whole):
    before = signal.getsignal(signal.SIGINT)  # a shell's background job ignores it
    outcome = train(tmp_path, Interrupting())
    assert (outcome.finished, outcome.step) == (False, 6)
    assert signal.getsignal(signal.SIGINT) is before
    train(tmp_path, resume=True)
    assert losses(tmp_path) == losses(whole)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal here")
@pytest.mark.parametrize(("ignored", "asked"), [(False, True), (True, False)])
def test_a_closed_terminal_asks_to_stop_unless_it_is_ignored(ignored, asked):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        with _stop_on_signal() as asked_to_stop:
            signal.raise_signal(signal.SIGHUP)
            assert asked_to_stop() is asked
    finally:
        signal.signal(signal.SIGHUP, before)


def test_curve_does_not_depend_on_the_number_of_workers(tmp_path, whole):
    train(tmp_path, workers=2)
    assert losses(tmp_path) == losses(whole)


def test_callers_random_numbers_go_on_as_if_there_had_been_no_training(tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(tmp_path, steps=1)
    assert torch.equal(torch.rand(3), expected)


def test_other_settings_do_not_continue_a_training(tmp_path, whole):
    with pytest.raises(TrainingError, match=r"learning_rate 0.003, not 0.1"):
        train(whole, resume=True, learning_rate=0.1)
    with pytest.raises(TrainingError, match="samples_per_step"):
        train(whole, resume=True, batch_size=2)
    with pytest.raises(OutputError, match="already holds a training"):
        train(whole)
    assert losses(whole) == losses(whole)


def test_loss_that_is_no_number_names_the_record_and_keeps_the_last_checkpoint(tmp_path):
    with pytest.raises(NonFiniteLoss, match=r"step 6 .*cubes.jsonl:7"):
        train(tmp_path, Cubes(broken=6))
    assert [entry["step"] for entry in read_log(tmp_path)] == [0, 1, 2, 3, 4, 5]
    assert torch.load(tmp_path / LAST_FILE, weights_only=True)["step"] == 4
    assert all(tensor.isfinite().all() for tensor in weights(tmp_path).values())


def test_only_the_broken_window_of_a_batch_is_named(tmp_path):
    with pytest.raises(NonFiniteLoss) as caught:
        train(tmp_path, Cubes(broken=5), batch_size=4)
    assert "cubes.jsonl:6." in caught.value.message
    assert "cubes.jsonl:5" not in caught.value.message


def test_full_disk_keeps_the_last_good_checkpoint(tmp_path, whole):
    process = child("full", tmp_path)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 2, said
    assert said.startswith("OutputError: ")
    assert "could not be written" in said
    assert torch.load(tmp_path / LAST_FILE, weights_only=True)["step"] == 8
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    train(tmp_path, resume=True)
    assert losses(tmp_path) == losses(whole)


def gradients(folder):
    """What the optimizer remembers after its first step: a tenth of the clipped gradient."""
    state = torch.load(folder / LAST_FILE, weights_only=True)["optimizer_state_dict"]["state"]
    return [state[index]["exp_avg"] for index in sorted(state)]


@pytest.mark.long
def test_two_processes_have_the_gradients_of_one_with_accumulated_batches(tmp_path):
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d")
    process = child("team", tmp_path / "team", *launcher, "--rdzv-endpoint", "localhost:0")
    train(tmp_path / "alone", steps=1, accumulate=4)
    train(tmp_path / "fewer", steps=1, accumulate=3)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    team, alone, fewer = (gradients(tmp_path / name) for name in ("team", "alone", "fewer"))
    largest = max(float(gradient.abs().max()) for gradient in alone)
    assert max(float((a - b).abs().max()) for a, b in zip(team, alone, strict=True)) < 1e-5 * largest
    assert max(float((a - b).abs().max()) for a, b in zip(fewer, alone, strict=True)) > 1e-2 * largest
    assert losses(tmp_path / "team") == pytest.approx(losses(tmp_path / "alone"), rel=1e-6)


def test_accumulated_batches_have_the_gradients_of_one_large_batch(tmp_path):
    # Dropout differs between the two, so what has none is compared.
    queries = toy_queries()
    for name, changes in (("parts", {"accumulate": 4}), ("whole", {"batch_size": 4})):
        network = toy_network()
        for module in network.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if isinstance(module, torch.nn.MultiheadAttention):
                module.dropout = 0.0
        fit(network, queries, Cubes(), settings(steps=1, queries_lr_multiplier=0, **changes), tmp_path / name)
    parts, whole = gradients(tmp_path / "parts"), gradients(tmp_path / "whole")
    largest = max(float(gradient.abs().max()) for gradient in whole)
    assert max(float((a - b).abs().max()) for a, b in zip(parts, whole, strict=True)) < 1e-5 * largest


def test_decoder_alone_leaves_the_unet_as_it_is(tmp_path):
    network = toy_network()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    train(tmp_path, network=network, part="decoder", steps=3)
    changed = {key for key, tensor in network.state_dict().items() if not torch.equal(tensor, before[key])}
    assert changed
    assert not [key for key in changed if key.startswith("backbone.")]
    assert {key.split(".")[0] for key in changed} == {"projection_layer", "transformer_decoder", "mask_embed_proj"}


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_what_float32_learns_nearly(tmp_path, whole, precision):
    train(tmp_path, precision=precision)
    assert losses(tmp_path) != losses(whole)
    assert losses(tmp_path) == pytest.approx(losses(whole), rel=0.05)


def test_parts_learn_at_their_own_pace(tmp_path):
    network, queries = toy_network(), toy_queries()
    start = queries.vectors.detach().clone()
    backbone = {key: tensor.clone() for key, tensor in network.backbone.state_dict().items()}
    fit(network, queries, Cubes(), settings(steps=2, queries_lr_multiplier=0, backbone_lr_multiplier=0.5), tmp_path)
    assert torch.equal(queries.vectors, start)
    assert any(not torch.equal(tensor, backbone[key]) for key, tensor in network.backbone.state_dict().items())


def test_learning_rate_warms_up_and_falls_along_a_cosine():
    recipe = settings(steps=110, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(step, recipe) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0)
    assert all(after < before for before, after in pairwise(rates[10:]))


def test_without_tensorboard_there_is_a_hint_and_the_log(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.warns(SATSegmentWarning, match="pip install"):
        train(tmp_path, steps=1)
    assert (tmp_path / LOG_FILE).exists()
    assert not (tmp_path / "tensorboard").exists()


class Empty(Cubes):
    def sample(self, number):
        sample = super().sample(number)
        return type(sample)(sample.image, sample.masks[:0], (), sample.source)


class WrongWindow(Cubes):
    def sample(self, number):
        sample = super().sample(number)
        return type(sample)(sample.image[..., :4], sample.masks, sample.prompts, sample.source)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(("samples", "message"), [(Empty(), "asks for nothing"), (WrongWindow(), r"\(1, 8, 8, 4\)")])
def test_sample_that_does_not_fit_is_told_with_its_record(samples, message, workers):
    with pytest.raises(TrainingError, match=message) as caught:
        next(batches(samples, [[3]], (8, 8, 8), workers))
    assert "cubes.jsonl:4" in caught.value.message


def test_prompt_without_a_query_is_named():
    queries = LabelQueries([("liver", "ct")], torch.zeros(1, 16), trained=False)
    with pytest.raises(PromptError, match="'spleen' in ct"):
        queries([TrainingPrompt("spleen", "ct")])


def test_impossible_settings_are_refused():
    for changes in ({"steps": 0}, {"learning_rate": -1.0}, {"max_grad_norm": float("nan")}, {"warmup_steps": -1}):
        with pytest.raises(ConfigError, match=next(iter(changes))):
            settings(**changes)


def test_several_processes_are_not_given_one_gpu(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="2 processes cannot share the device cuda:1"), joined("cuda:1"):
        pytest.fail("they were")
