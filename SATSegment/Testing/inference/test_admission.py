"""One gate for all that looks at a scan; claims are not believed; memory that ran out is recognised."""

from __future__ import annotations

import dataclasses
import errno
import subprocess
import sys

import numpy as np
import pytest
import torch

from helpers.models import queries, tiny_segmenter
from helpers.small_model import headLikeImage, makeModel
from SATSegmentLib import errors
from SATSegmentLib.anatomy.vocabulary.labels import load_labels
from SATSegmentLib.errors import OutOfMemory, PromptError, SATSegmentWarning, ScanError
from SATSegmentLib.inference.memory import is_out_of_memory
from SATSegmentLib.inference.segmenter import Segmenter
from SATSegmentLib.sat.text.queries import QuerySource
from SATSegmentLib.segments.style import segment_id, style_of
from SATSegmentLib.segments.tg263 import tg263_name
from SATSegmentLib.storage.dicom_codes import terminology_of
from SATSegmentLib.types import Image, Prompt

LABEL_MAP = np.zeros((20, 20, 20), np.uint8)
LABEL_MAP[3:15, 3:15, 3:15] = 4
LABEL_MAP[3:8, 3:15, 3:15] = 5


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter.load(makeModel(tmp_path_factory.mktemp("model")), device="cpu")


WAYS = {
    "segment": lambda one, image: one.segment(image, [Prompt("brainstem", "mri")]),
    "plan": lambda one, image: one.plan(image, [Prompt("brainstem", "mri")]),
    "segment_queries": lambda one, image: one.segment_queries(image, queries(1), "mri"),
    "windows": lambda one, image: one.windows(image, "mri"),
    "probability_maps": lambda one, image: one.probability_maps(image, queries(1), "mri"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_goes_through_the_same_gate(segmenter: Segmenter, way: str) -> None:
    # Query vectors are for experiments, and phantoms have few flat values as label maps do.
    taken = way in ("segment_queries", "probability_maps")
    with pytest.warns(SATSegmentWarning, match="label map") if taken else pytest.raises(ScanError, match="label map"):
        WAYS[way](segmenter, Image(LABEL_MAP, np.eye(4)))
    with pytest.raises(ScanError, match="not numbers"):
        WAYS[way](segmenter, Image(np.full((8, 8, 8), np.nan), np.eye(4)))
    head = headLikeImage()
    ct = Image(np.where(head.array > 0, head.array, -1000).astype(np.float32), head.ijk_to_ras)
    with pytest.warns(SATSegmentWarning, match="look like CT"):
        WAYS[way](segmenter, ct)


def test_labels_that_a_model_does_not_have_are_refused_for_that_and_not_for_their_axes(segmenter: Segmenter) -> None:
    before = segmenter.description
    segmenter.description = dataclasses.replace(before, orientations=("RAS",))
    try:
        # One is trained in RAS, one in IPL; the model has neither.
        absent = [Prompt("spleen", "ct"), Prompt("inferior alveolar nerve", "ct", "IPL")]
        for asked in (absent, absent[1:]):
            with pytest.raises(PromptError, match=r"not know|not trained on|unknown") as refused:
                segmenter.plan(headLikeImage(), asked)
            assert "axes" not in str(refused.value)
        with pytest.warns(SATSegmentWarning, match="and did not look for them"):
            results = segmenter.segment(headLikeImage(), [*absent, Prompt("brainstem", "mri")])
        assert [one.status for one in results[:2]] == ["unknown", "unknown"]
        with pytest.raises(PromptError, match="axes"):
            segmenter.windows(headLikeImage(), "mri", "IPL")
    finally:
        segmenter.description = before


def test_any_result_says_how_its_run_was_done_also_one_that_was_not_looked_for(segmenter: Segmenter) -> None:
    before = segmenter.feature_storage
    segmenter.feature_storage = "uint8"
    try:
        with pytest.warns(SATSegmentWarning, match="did not look for it"):
            results = segmenter.segment(headLikeImage(), [Prompt("spleen", "ct"), Prompt("brainstem", "mri")])
    finally:
        segmenter.feature_storage = before
    assert [one.status == "unknown" for one in results] == [True, False]
    for name in ("device", "precision", "feature_storage"):
        assert getattr(results[0], name) == getattr(results[1], name), name
    assert results[1].feature_storage == "uint8"


def test_of_many_labels_that_a_model_does_not_have_a_few_are_named(segmenter: Segmenter) -> None:
    absent = [Prompt(label.text, "ct") for label in load_labels() if label.modality == "ct" and label.text != "liver"]
    with pytest.warns(SATSegmentWarning, match=r"not trained on .* and 297 more, and did not look for them\."):
        segmenter.plan(headLikeImage(), [*absent, Prompt("brainstem", "mri")])


def test_a_trained_prompt_gets_its_axes_and_its_concept_from_the_table(segmenter: Segmenter) -> None:
    right = Prompt("left hippocampus", "mri")
    wrong = Prompt("Left Hippocampus", "mri", "LPS", concept="UBERON:0000000")
    first, second = (segmenter.segment(headLikeImage(), [prompt])[0] for prompt in (right, wrong))
    assert second.orientation == first.orientation == "RAS"
    assert second.prompt == first.prompt
    assert first.prompt.concept
    np.testing.assert_array_equal(first.mask, second.mask)


class Words:
    """Stands where a text encoder of gigabytes would: some query for any words."""

    query_dim = 48

    def embed(self, texts, modalities):
        return queries(len(texts))


@pytest.mark.parametrize("has_bank", [True, False], ids=["a bank that is only SAT's list", "no bank, as with MedCPT"])
def test_nothing_is_marked_as_trained_that_the_model_is_not_known_to_know(segmenter: Segmenter, has_bank: bool) -> None:
    description = dataclasses.replace(segmenter.description, knows_labels=not has_bank)
    assert segmenter.queries is not None
    source = segmenter.queries if has_bank else QuerySource(48, load_text_encoder=Words)
    unsure = Segmenter(segmenter.network, description, source, "cpu")
    known = segmenter.segment(headLikeImage(), [Prompt("left hippocampus", "mri")])[0].prompt
    with pytest.warns(SATSegmentWarning, match=r"not known which labels .* left hippocampus"):
        (result,) = unsure.segment(headLikeImage(), [Prompt("left hippocampus", "mri")])
    assert known.trained
    assert result.prompt == dataclasses.replace(known, trained=False)
    # It is the same structure: its segment, colour and codes stay, in the panel as in files.
    assert segment_id(result.prompt) == segment_id(known)
    assert style_of(result.prompt) == style_of(known)
    assert terminology_of(result.prompt) == terminology_of(known)
    assert tg263_name(result.prompt) == tg263_name(known)
    # Free text never was marked, and is no label although it reads like one.
    free = Prompt("left hippocampus", "mri", trained=False)
    assert segment_id(free) != segment_id(known)


def test_what_is_not_a_label_cannot_claim_to_be_trained() -> None:
    with pytest.raises(PromptError, match="not trained on 'my own organ'"):
        tiny_segmenter().segment(headLikeImage(), [Prompt("my own organ", "mri")])


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:72] data. DefaultCPUAllocator: not enough memory"),
        RuntimeError("unable to mmap 1000 bytes from file <x>: Cannot allocate memory (12)"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB)"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("std::bad_alloc"),
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_memory_that_ran_out_is_recognised_on_every_system(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_out_of_memory(OSError(errno.ENOSPC, "No space left on device"))


def test_what_this_systems_pytorch_says_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_the_error_says_whose_memory_it_was_also_on_the_other_side_of_a_pipe() -> None:
    error = OutOfMemory("The GPU (cuda:0) ran out of memory.", "Close other programs.", device="cuda:0")
    again = errors.from_dict(error.as_dict())
    assert isinstance(again, OutOfMemory)
    assert again.device == "cuda:0"


def test_other_words_for_storage_and_precision_are_refused() -> None:
    from SATSegmentLib.errors import DeviceError

    with pytest.raises(DeviceError, match="int8"):
        tiny_segmenter(precision="int8")
    with pytest.raises(DeviceError, match="uint4"):
        tiny_segmenter(feature_storage="uint4")
    code = "import SATSegmentLib.inference.run_plan, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("modality", ["ct", "mri", "pet"])
def test_a_prepared_scan_takes_the_memory_that_the_plan_counts(modality: str) -> None:
    from SATSegmentLib.inference.preprocess import normalise

    array = np.random.default_rng(0).normal(100, 400, (20, 20, 20)).astype(np.float32)
    prepared = normalise(array, modality)
    assert prepared.dtype == np.float32
    assert prepared.std() == pytest.approx(1, abs=1e-4)
