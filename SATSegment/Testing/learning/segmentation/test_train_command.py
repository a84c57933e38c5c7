"""From scans and a configuration to a model that segments a scan, and to one that is adapted to others."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - as its own documentation does
import torch
import yaml
from learning.segmentation.toy_training import ARCHITECTURE

from helpers.language_models import mpnet_folder, small_text_checkpoint
from SATSegmentLib import Image, Segmenter
from SATSegmentLib.cli import main
from SATSegmentLib.models.folder import read_description
from SATSegmentLib.sat.checkpoint.released import read_network
from SATSegmentLib.sat.text.encoder import TextEncoder
from SATSegmentLib.sat.text.queries import QuerySource
from SATSegmentLib.types import Prompt

SIZE = 24
LABELS = {"liver": 1, "spleen": 2}


def scan(seed):
    """A bright ball with a smaller, darker one on its left: KJI intensities and labels."""
    random = np.random.default_rng(seed)
    k, j, i = np.ogrid[:SIZE, :SIZE, :SIZE]
    labels = np.zeros((SIZE, SIZE, SIZE), np.uint8)
    for value, radius in ((1, 5), (2, 3)):
        centre = random.integers(8, 16, 3) if value == 1 else np.array([6, 6, 18])
        labels[(k - centre[0]) ** 2 + (j - centre[1]) ** 2 + (i - centre[2]) ** 2 <= radius**2] = value
    means = np.array([50, 300, 150])
    return (means[labels] + random.normal(0, 15, labels.shape)).astype(np.int16), labels


@pytest.fixture
def site(tmp_path):
    """A folder with scans, records and a configuration that trains on them."""
    records = []
    for seed in range(3):
        for name, array in zip(("scan", "seg"), scan(seed), strict=True):
            image = sitk.GetImageFromArray(array)
            image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # rows and columns towards R and A, as RAS axes
            sitk.WriteImage(image, str(tmp_path / f"{name}{seed}.nii.gz"))
        records.append(
            {"image": f"scan{seed}.nii.gz", "mask": f"seg{seed}.nii.gz", "label": LABELS, "modality": "MRI"}
            | {"dataset": "balls", "patient_id": str(seed)}
        )
    for name, some in (("train", records[:2]), ("validation", records[2:])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, some)), encoding="utf-8")
    config = {
        "name": "balls",
        "data": {"train": ["train.jsonl"], "validation": ["validation.jsonl"], "recipe": {"max_prompts": 4}},
        "architecture": {
            name: list(map(list, value)) if name == "strides" else list(value) if isinstance(value, tuple) else value
            for name, value in vars(ARCHITECTURE).items()
        },
        "window": [16, 16, 16],
        "spacing": [1.0, 1.0, 1.0],
        "queries": {"free": True},
        "training": {"steps": 60, "batch_size": 2, "learning_rate": 0.01, "warmup_steps": 5, "workers": 0}
        | {"validate_every": 30, "validation_samples": 4, "checkpoint_every": 30},
    }
    config["data"]["recipe"]["augmentation"] = {"zoom": 0, "contrast_inverted": 0}
    write(tmp_path, config)
    return tmp_path, config


def write(folder, config):
    (folder / "site.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


def satsegment(*words):
    return main([str(word) for word in words])


def dice(model, text="liver"):
    """Of the model's mask of a scan that it has not seen."""
    array, labels = scan(9)
    affine = np.diag([1.0, 1, 1, 1])
    (result,) = Segmenter.load(model, device="cpu").segment(Image(array, affine), [Prompt(text, "mri")])
    mask = result.whole_mask(labels.shape)
    target = labels == LABELS[text]
    return 2 * (mask & target).sum() / (mask.sum() + target.sum())


def queries_of(model):
    return QuerySource.of_model(model, read_description(model), ARCHITECTURE.query_dim)


def test_trained_network_segments_a_scan_it_has_not_seen_and_is_fine_tuned(site, capsys):
    folder, config = site
    assert satsegment("train", folder / "site.yaml", "--out", folder / "run", "--device", "cpu") == 0
    assert "best validation Dice" in capsys.readouterr().out
    model = folder / "run" / "model"
    before = dice(model)
    assert before > 0.8

    del config["architecture"], config["window"], config["spacing"], config["queries"]
    config["training"] |= {"steps": 3, "batch_size": 1}
    write(folder, config)
    words = ("finetune", folder / "site.yaml", "--from", model, "--part", "decoder", "--out", folder / "tuned")
    assert satsegment(*words) == 0
    tuned = folder / "tuned" / "model"
    assert dice(tuned) > 0.8
    old, new = (read_network(path / "network.safetensors").tensors for path in (model, tuned))
    changed = {key.split(".")[0] for key in old if not torch.equal(old[key], new[key])}
    assert changed == {"projection_layer", "transformer_decoder", "mask_embed_proj"}
    # The bank's vectors were not trained: the same words ask the same.
    np.testing.assert_array_equal(*(queries_of(path).embed([Prompt("spleen", "mri")]) for path in (model, tuned)))


def test_modality_embedding_is_trained_with_the_network_and_goes_into_the_model(site):
    folder, config = site
    text = small_text_checkpoint(folder / "text.pth", width=16, query_dim=16)
    words = mpnet_folder(folder / "language")
    config["queries"] = {"text_encoder": "text.pth", "language_model": "language"}
    config["training"]["steps"] = 3
    write(folder, config)
    assert satsegment("train", folder / "site.yaml", "--out", folder / "run") == 0

    before, after = (TextEncoder.load(path, words) for path in (text, folder / "run" / "text_encoder.pth"))
    np.testing.assert_array_equal(before.features(["liver"]), after.features(["liver"]))
    assert not np.array_equal(before.modality_vectors(["mri"]), after.modality_vectors(["mri"]))
    # There is no CT in the data: its vector stays what it was, to the last bit.
    np.testing.assert_array_equal(before.modality_vectors(["ct"]), after.modality_vectors(["ct"]))
    asked = queries_of(folder / "run" / "model").embed(
        [Prompt("liver", "mri"), Prompt("gall bladder", "mri", trained=False)]
    )
    np.testing.assert_allclose(asked, after.embed(["liver", "gall bladder"], ["mri", "mri"]), atol=1e-5)


def test_stopped_training_is_resumed_by_the_command(site, capsys):
    folder, config = site
    config["training"] |= {"steps": 4, "checkpoint_every": 2, "validate_every": 100}
    write(folder, config)
    assert satsegment("train", folder / "site.yaml", "--out", folder / "run") == 0
    assert satsegment("train", folder / "site.yaml", "--out", folder / "run") == 2
    assert "already holds a training" in capsys.readouterr().err
    assert satsegment("train", folder / "site.yaml", "--out", folder / "run", "--resume") == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"queries": {}}, "Nothing says where the queries come from"),
        ({"window": [16, 16, 15]}, "multiples of (4, 4, 4)"),
        ({"window": [4, 4, 4]}, "a single voxel"),
        ({"queries": {"text_encoder": "none.pth", "language_model": "language"}}, "no weight file none.pth"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_first_step(site, capsys, change, said):
    folder, config = site
    write(folder, config | change)
    assert satsegment("train", folder / "site.yaml", "--out", folder / "run") == 2
    assert said in capsys.readouterr().err
    assert not (folder / "run").exists()


def test_architecture_of_a_network_that_is_fine_tuned_cannot_be_chosen(site, capsys):
    folder, config = site
    config["training"] |= {"steps": 1}
    write(folder, config)
    assert satsegment("train", folder / "site.yaml", "--out", folder / "run") == 0
    words = ("--from", folder / "run" / "last.pth", "--out", folder / "tuned")
    assert satsegment("finetune", folder / "site.yaml", *words) == 2
    assert "architecture cannot be chosen" in capsys.readouterr().err
