"""A wrong weight file is named for what it is; nothing is loaded in part."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers.models import TINY_WINDOW, queries, write_tiny_checkpoint
from helpers.seeded import manifest, seeded_state
from SATSegmentLib import Image, Segmenter
from SATSegmentLib.errors import (
    CheckpointError,
    HostileCheckpoint,
    IncompleteCheckpoint,
    ModelNotFound,
    OutputError,
    PairMismatch,
    SATSegmentError,
    TruncatedCheckpoint,
    WrongCheckpointKind,
)
from SATSegmentLib.models.folder import ModelDescription, read_description
from SATSegmentLib.sat.backbones.unet.cost import encode_macs
from SATSegmentLib.sat.checkpoint.convert import convert
from SATSegmentLib.sat.checkpoint.file import file_sha256
from SATSegmentLib.sat.checkpoint.released import build_network, read_network

DESCRIPTION = ModelDescription("tiny", TINY_WINDOW)


@pytest.fixture(scope="module")
def state():
    return seeded_state(manifest("tiny")["keys"])


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return write_tiny_checkpoint(tmp_path_factory.mktemp("released") / "tiny.pth")


def save(path, state):
    torch.save({"step": 1, "model_state_dict": state}, path)
    return path


def test_hyper_parameters_are_read_off_the_tensors(released):
    architecture = read_network(released).architecture
    assert architecture.features == (8, 8, 16, 16, 24, 32)
    assert architecture.encoder_convs == (2,) * 6
    assert architecture.decoder_convs == (2,) * 5
    assert architecture.downsampling == (32, 32, 32)
    assert (architecture.query_dim, architecture.decoder_layers, architecture.mask_dim) == (48, 6, 32)


@pytest.mark.parametrize(("name", "tera"), [("sat_nano", 4.6), ("sat_pro", 27.0)])
def test_released_models_cost_what_is_known_of_them(name, tera):
    from SATSegmentLib.sat.backbones.unet.spec import UNetSpec

    shapes = {key.removeprefix("module."): tuple(shape) for key, shape in manifest(name)["keys"].items()}
    assert encode_macs(UNetSpec.from_shapes(shapes), (288, 288, 96)) / 1e12 == pytest.approx(tera, rel=0.02)


def test_safetensors_and_pth_give_the_same_network(released, state, tmp_path):
    plain = {key: tensor.clone() for key, tensor in state.items() if "all_modules" not in key}
    save_file(plain, tmp_path / "tiny.safetensors")
    a, b = read_network(released), read_network(tmp_path / "tiny.safetensors")
    assert a.architecture == b.architecture
    assert all(torch.equal(a.tensors[key], b.tensors[key]) for key in a.tensors)


def test_released_file_is_read_whatever_numpy_wrote_its_step(state, tmp_path):
    # NumPy 1 and 2 name the same function differently in a pickle.
    torch.save({"step": np.float64(3), "model_state_dict": state}, tmp_path / "new.pth")
    content = (tmp_path / "new.pth").read_bytes()
    assert b"numpy._core" in content
    read_network(tmp_path / "new.pth")


def test_a_text_encoder_is_never_left_out_in_silence(released, tmp_path):
    for half in ({"text_encoder": tmp_path / "text.pth"}, {"language_model": tmp_path}):
        with pytest.raises(SATSegmentError, match="language model"):
            convert(released, tmp_path / "out", DESCRIPTION, **half)
    assert not (tmp_path / "out").exists()


def without(key):
    return lambda state: {k: v for k, v in state.items() if key not in k}


def with_extra(key, *shape):
    return lambda state: {**state, key: torch.zeros(shape)}


PROJECTION = "module.projection_layer.0.weight"


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (without("transformer_decoder.layers.3.linear1.bias"), IncompleteCheckpoint, "linear1.bias is missing"),
        (without("transpconvs.2"), IncompleteCheckpoint, "transpconvs"),
        (with_extra("module.backbone.encoder.extra.weight", 3), IncompleteCheckpoint, "unknown"),
        (with_extra(PROJECTION, 48, 99), IncompleteCheckpoint, r"shape \(48, 99\)"),
        (lambda s: {**s, PROJECTION: torch.full((48, 104), torch.nan)}, IncompleteCheckpoint, "not finite"),
        (with_extra(PROJECTION.removeprefix("module."), 48, 104), IncompleteCheckpoint, "two tensors called"),
        (
            lambda s: {PROJECTION.removeprefix("module."): s[PROJECTION], **s},
            IncompleteCheckpoint,
            "two tensors called",
        ),
        (
            lambda s: {**s, PROJECTION: s[PROJECTION].to(torch.float8_e4m3fn)},
            IncompleteCheckpoint,
            "not a plain tensor",
        ),
        (
            lambda s: {**s, "module.backbone.encoder.stages.0.0.convs.0.all_modules.1.bias": torch.ones(8)},
            IncompleteCheckpoint,
            "two copies",
        ),
        (
            lambda s: {"module.atlas_tower.a": torch.ones(1), "module.temperature": torch.ones(1)},
            WrongCheckpointKind,
            "pretraining",
        ),
        (
            lambda s: {"module.text_tower.a": torch.ones(1), "module.modality_embed.weight": torch.ones(4, 8)},
            WrongCheckpointKind,
            "text encoder",
        ),
        (
            lambda s: {"module.text_tower.a": torch.ones(1), "module.modality_embed.weight": torch.ones(5, 8)},
            WrongCheckpointKind,
            "CVPR 2025",
        ),
        (lambda s: {"module.backbone.mamba.a": torch.ones(1)}, WrongCheckpointKind, "another backbone"),
        (lambda s: {"conv1.weight": torch.ones(1)}, WrongCheckpointKind, "no SAT network"),
        (lambda s: {}, WrongCheckpointKind, "no network's tensors"),
    ],
)
def test_files_of_another_kind_are_named_for_what_they_are(state, tmp_path, change, kind, message):
    with pytest.raises(kind, match=message) as caught:
        read_network(save(tmp_path / "file.pth", change(state)))
    assert "nano.pth" in caught.value.remedy or "model_state_dict" in caught.value.remedy


def test_challenge_network_is_refused_by_its_name(state, tmp_path):
    with pytest.raises(WrongCheckpointKind, match="CVPR 2025"):
        read_network(save(tmp_path / "nano_cvpr25_v0.pth", state))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_truncated_files_are_noticed(released, state, tmp_path, share, suffix):
    whole = released
    if suffix == "safetensors":
        whole = tmp_path / "whole.safetensors"
        save_file({key: tensor.clone() for key, tensor in state.items()}, whole)
    content = whole.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(TruncatedCheckpoint):
        read_network(cut)


def test_files_that_are_no_weights_are_refused(tmp_path):
    page = tmp_path / "nano.pth"
    page.write_bytes(b"<!DOCTYPE html><title>Not found</title>")
    with pytest.raises(CheckpointError, match="not a PyTorch weight file"):
        read_network(page)
    page.write_bytes(b"")
    with pytest.raises(TruncatedCheckpoint, match="empty"):
        read_network(page)
    with pytest.raises(CheckpointError, match="no weight file"):
        read_network(tmp_path / "missing.pth")


class RunsCode:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("as_zip", [True, False])
def test_pickle_that_would_run_code_does_not_run(tmp_path, as_zip):
    proof = tmp_path / "it_ran"
    file = tmp_path / "nano.pth"
    content = {"model_state_dict": {"a": RunsCode(proof)}}
    if as_zip:
        torch.save(content, file)
    else:
        file.write_bytes(pickle.dumps(content))
    with pytest.raises(HostileCheckpoint, match="could run code"):
        read_network(file)
    assert not proof.exists()


def test_converted_model_is_half_precision_and_gives_nearly_the_same_logits(released, tmp_path):
    before = file_sha256(released)
    written = convert(released, tmp_path / "model", DESCRIPTION)

    assert file_sha256(released) == before == written.network_sha256
    assert read_description(tmp_path / "model") == written
    tensors = load_file(tmp_path / "model" / "network.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    exact = build_network(read_network(released), TINY_WINDOW)
    half = build_network(read_network(tmp_path / "model" / "network.safetensors"), TINY_WINDOW)
    random = torch.Generator().manual_seed(5)
    window = torch.randn(1, 1, *TINY_WINDOW, generator=random)
    asked = torch.randn(3, 48, generator=random)
    a, b = (network.decode(network.encode(window), asked) for network in (exact, half))
    assert (a - b).abs().max() < 0.05 * a.std()
    assert ((a > 0) == (b > 0)).float().mean() > 0.998


def test_conversion_that_fails_leaves_nothing_and_keeps_what_was_there(released, tmp_path):
    convert(released, tmp_path / "model", DESCRIPTION)
    with pytest.raises(OutputError, match="already exists"):
        convert(released, tmp_path / "model", DESCRIPTION)
    with pytest.raises(CheckpointError, match="window"):
        convert(released, tmp_path / "other", ModelDescription("x", (64, 64, 30)))
    broken = tmp_path / "broken.pth"
    broken.write_bytes(released.read_bytes()[:1000])
    with pytest.raises(TruncatedCheckpoint):
        convert(broken, tmp_path / "model", DESCRIPTION, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.pth", "model"]
    read_network(tmp_path / "model" / "network.safetensors")


def test_text_encoder_of_the_other_released_model_is_refused(released, tmp_path):
    nano = tmp_path / "nano.pth"
    nano.write_bytes(released.read_bytes())
    with pytest.raises(PairMismatch, match="SAT-Pro"):
        convert(nano, tmp_path / "m", DESCRIPTION, text_encoder=tmp_path / "text_encoder.pth", language_model=tmp_path)


def test_converted_model_loads_by_folder_and_by_name(released, tmp_path, monkeypatch):
    convert(released, tmp_path / "mine", DESCRIPTION)
    array = np.random.default_rng(0).normal(80, 30, (20, 40, 40)).astype(np.float32)
    image = Image(array, np.diag((1.0, 1.0, 3.0, 1.0)))
    monkeypatch.setenv("SATSEGMENT_MODELS", str(tmp_path))

    by_folder = Segmenter.load(tmp_path / "mine", device="cpu").segment_queries(image, queries(1), "mri")
    by_name = Segmenter.load("mine", device="cpu").segment_queries(image, queries(1), "mri")

    assert by_folder[0].voxels == by_name[0].voxels
    with pytest.raises(ModelNotFound, match="SAT-Nano is not installed"):
        Segmenter.load("sat-nano")
    with pytest.raises(ModelNotFound, match="no model"):
        Segmenter.load("nonsense")
    with pytest.raises(ModelNotFound, match="not a model folder"):
        Segmenter.load(tmp_path)
    (tmp_path / "mine" / "model.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="damaged"):
        Segmenter.load("mine")


@pytest.mark.parametrize("size", [1, 30, 6338, 7394])
def test_truncated_old_style_files_are_noticed(state, tmp_path, size):
    torch.save({"model_state_dict": state}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "cut.pth").write_bytes((tmp_path / "old.pth").read_bytes()[:size])
    with pytest.raises(CheckpointError):
        read_network(tmp_path / "cut.pth")


STEM = "module.backbone.encoder.stages.0.0.convs.0.conv.weight"


@pytest.mark.parametrize(
    "change",
    [
        lambda s: {**s, PROJECTION: s[PROJECTION].to_sparse()},
        lambda s: {**s, PROJECTION: s[PROJECTION].to(torch.complex64)},
        lambda s: {**s, PROJECTION: s[PROJECTION].to(torch.int64)},
        lambda s: {**{k: v for k, v in s.items() if "stages.0.0.convs.0.all" not in k}, STEM: s[STEM][:, :2]},
    ],
)
def test_odd_tensors_are_refused(state, tmp_path, change):
    with pytest.raises(IncompleteCheckpoint):
        read_network(save(tmp_path / "file.pth", change(state)))


def test_network_of_another_model_in_a_folder_is_refused(released, state, tmp_path):
    other = {key: value * 1.01 for key, value in state.items()}
    convert(released, tmp_path / "a", DESCRIPTION)
    convert(save(tmp_path / "other.pth", other), tmp_path / "b", DESCRIPTION)
    (tmp_path / "a" / "network.safetensors").write_bytes((tmp_path / "b" / "network.safetensors").read_bytes())
    with pytest.raises(PairMismatch, match="is not the one"):
        Segmenter.load(tmp_path / "a")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("window", [32, 32, 10]),
        ("window", [32, 32]),
        ("window", [0, 0, 0]),
        ("window", [-32, 32, 16]),
        ("spacing", [0, 1, 1]),
        ("spacing", [-1, 1, 3]),
        ("spacing", [float("nan"), 1, 3]),
        ("orientations", []),
        ("orientations", ["XYZ"]),
    ],
)
def test_impossible_descriptions_are_refused(released, tmp_path, field, value):
    convert(released, tmp_path / "m", DESCRIPTION)
    path = tmp_path / "m" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), field: value}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"model\.json"):
        Segmenter.load(tmp_path / "m")
