"""Names and modalities against what they look like."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from helpers.tiny_encoders import tiny_language_model
from SATSegmentLib.learning.knowledge.encoder import LearningEncoder
from SATSegmentLib.learning.knowledge.objective import TextObjective
from SATSegmentLib.learning.knowledge.pairs import Pairs
from SATSegmentLib.learning.knowledge.pretrain import Pretraining
from SATSegmentLib.learning.knowledge.recipe import KnowledgeRecipe
from SATSegmentLib.learning.knowledge.regions import RegionObjective, RegionTower
from SATSegmentLib.learning.knowledge.texts import Knowledge, Structure
from SATSegmentLib.learning.sample import TrainingPrompt, TrainingSample
from SATSegmentLib.learning.segmentation.initial import new_network
from SATSegmentLib.sat.backbones.unet.spec import UNetSpec

ARCHITECTURE = UNetSpec(
    features=(4, 8),
    strides=((1, 1, 1), (2, 2, 2)),
    encoder_convs=(1, 1),
    decoder_convs=(1,),
    query_dim=16,
    projection_dim=16,
    decoder_layers=1,
    feedforward_dim=16,
    mask_dim=8,
)
WINDOW = (8, 8, 8)
RECIPE = KnowledgeRecipe(
    steps=60,
    batch=6,
    warmup_steps=2,
    learning_rate=2e-3,
    head_rate=2.0,
    trained_layers=0,
    max_tokens=16,
    query_dim=16,
    projection_dim=16,
    kinds=(0.5, 0.5, 0.0, 0.0),
    save_every=20,
)
NAMES = ("liver", "kidney", "spleen")
KNOWLEDGE = Knowledge({n: Structure(n, n, (f"{n} organ",), f"The {n} of the body.") for n in NAMES})


class BrightOrgans:
    """Windows in which each organ has its own brightness, the other way round in CT; every third shows nothing."""

    def sample(self, number):
        rng = torch.Generator().manual_seed(number)
        modality = ("ct", "mri")[number % 2]
        image = 0.1 * torch.randn((1, *WINDOW), generator=rng)
        masks = torch.zeros((3, *WINDOW), dtype=torch.bool)
        order = torch.randperm(3, generator=rng).tolist()
        if number % 3:
            for place, organ in enumerate(order[:2]):
                masks[organ, 4 * place : 4 * place + 3, 1:6, 1:6] = True
                image[0][masks[organ]] += 2.0 * (organ - 1) * (1 if modality == "mri" else -1)
        return TrainingSample(image, masks, tuple(TrainingPrompt(name, modality) for name in NAMES), f"number {number}")


class Nothing:
    """Windows without a structure."""

    def sample(self, number):
        return dataclasses.replace(BrightOrgans().sample(number), masks=torch.zeros((3, *WINDOW), dtype=torch.bool))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return tiny_language_model(tmp_path_factory.mktemp("bert"))


def run_of(bert, out, samples, recipe=RECIPE):
    encoder = LearningEncoder.start(bert, recipe.query_dim, recipe.projection_dim, recipe.max_tokens)
    torch.manual_seed(0)
    tower = RegionTower(new_network(ARCHITECTURE, WINDOW), recipe.query_dim)
    objective = RegionObjective(TextObjective(Pairs(KNOWLEDGE, recipe)), samples, tower, windows=4)
    return Pretraining(encoder, objective, recipe, out)


def region_loss(run, steps):
    run.encoder.module.eval()
    run.objective.beside.eval()
    scale = torch.tensor(10.0)
    with torch.no_grad():
        return sum(
            (run.objective.loss(run.encoder, s, scale) - run.objective.texts.loss(run.encoder, s, scale)).item()
            for s in steps
        )


def test_a_region_is_the_mean_of_the_features_under_its_mask():
    tower = RegionTower(new_network(ARCHITECTURE, WINDOW), 16).eval()
    sample = BrightOrgans().sample(1)
    shown = sample.masks[sample.masks.flatten(1).any(1)]

    with torch.no_grad():
        found = tower(sample.image, shown)
        features = tower.network.encode(sample.image[None])
        fine = torch.stack([features.voxels[0][:, mask].mean(1) for mask in shown])
        cells = torch.nn.functional.avg_pool3d(shown[:, None].float(), 2).flatten(1)
        coarse = torch.stack([(w[:, None] * features.tokens[0]).sum(0) / w.sum() for w in cells])
        expected = tower.projection(torch.cat((fine, coarse), dim=1))

    torch.testing.assert_close(found, expected)


@pytest.mark.long
def test_names_and_modalities_learn_what_they_look_like(bert, tmp_path):
    run = run_of(bert, tmp_path, BrightOrgans())
    unseen = range(1000, 1006)
    before = region_loss(run, unseen)

    run.run()

    assert region_loss(run, unseen) < 0.6 * before
    ct, mri, pet = run.encoder.module.modality_vectors(torch.tensor([0, 1, 3]))
    assert (ct - mri).norm() > 0.1
    assert pet.abs().max() == 0  # there was none


def test_a_step_whose_windows_show_nothing_learns_from_texts_alone(bert, tmp_path):
    run = run_of(bert, tmp_path, Nothing(), dataclasses.replace(RECIPE, steps=2))

    assert region_loss(run, range(2)) == 0
    run.run()


def test_a_run_with_images_continues_to_the_last_bit(bert, tmp_path):
    recipe = dataclasses.replace(RECIPE, steps=6, save_every=3)
    run_of(bert, tmp_path / "whole", BrightOrgans(), recipe).run()
    stopped = run_of(bert, tmp_path / "parts", BrightOrgans(), recipe)

    def stop(progress):
        if stopped.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped.run(progress=stop)
    run_of(bert, tmp_path / "parts", BrightOrgans(), recipe).run()

    assert (tmp_path / "parts/log.jsonl").read_text() == (tmp_path / "whole/log.jsonl").read_text()
